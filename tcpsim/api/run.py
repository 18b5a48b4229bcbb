"""The function `run`: it simulates one connection and returns a ladder with a verdict.

Owns: the function and its result. Refuses to know: how a pair runs (catalogue), and how a ladder is drawn
(draw).
"""

from __future__ import annotations

from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from tcpsim.api.event_json import event_record, held_record
from tcpsim.api.result import Pictured
from tcpsim.api.setting_notes import Noted, sample_of
from tcpsim.api.settings import Named, Settings, chosen, horizon_us, settings, spelled
from tcpsim.catalogue import Ended, Played, Sample, Scenario, Setting, Verdict, build, surprises
from tcpsim.catalogue import run as run_pair
from tcpsim.draw.caption import Caption, caption_of
from tcpsim.draw.event_text import tell, titles
from tcpsim.draw.ladder import WIDTH, ladder
from tcpsim.draw.ladder_rows import Story
from tcpsim.draw.part import CLOSE, close_us, part
from tcpsim.draw.verdict import verdict_text
from tcpsim.errors import InputError
from tcpsim.pair import SIDES, Event, Held, Lost, Sent, Side
from tcpsim.path import Seeded
from tcpsim.tcp.state import State
from tcpsim.units import format_duration, parse_duration

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tcpsim.api.page import Page
    from tcpsim.measure.results import Table

Between = tuple[int | str | None, int | None]  # from when (or "close") until when a ladder is shown


def run(
    scenario: Named,
    setting: Setting | None = None,
    *,
    seed: int = 1,
    horizon: str | int | None = None,
    from_: str | int | None = None,
    until: str | int | None = None,
    **changes: Unpack[Settings],
) -> Run:
    """Simulate one connection until nothing more can happen, or until the horizon.

    >>> import tcpsim
    >>> tcpsim.run("closewait-ignored-eof", delay="25ms")
    <Run closewait-ignored-eof: permanent: client CLOSE-WAIT, server gone>
    >>> tcpsim.run("normal-close", client="never-closes").permanent
    True

    Args:
        scenario: a scenario's name, the path of a TOML file, or a `Scenario`.
        setting: changes of the scenario as one value; keywords override it.
        seed: the seed of all random events; the same seed gives the same run on every machine.
        horizon: watch until this time, such as "1h" (default: set by the scenario).
        from_: where the ladder begins: a time, or "close"; the command line's --from.
        until: where the ladder ends; the verdict is that of the whole run.
        **changes: any setting (`tcpsim.Setting`), under the command line's name.

    Raises:
        InputError: a name that does not exist, or a value out of range.
    """
    story = chosen(scenario)
    changed = settings(changes, setting)
    pair = build(story, **changed)
    until_us = horizon_us(story, horizon)
    events: list[Event] = []
    ended = run_pair(pair, Seeded(seed), until_us, events.append)
    played = Played(pair, ended, tuple(events))
    return Run(story, spelled(scenario), changed, seed, until_us, played, _between(from_, until))


def _between(from_: str | int | None, until: str | int | None) -> Between:
    """The part of the ladder that was asked for, in microseconds; "close" is found in the story."""
    begin = from_ if from_ is None or from_ == CLOSE else parse_duration(from_, "from")
    end = None if until is None else parse_duration(until, "until")
    if isinstance(begin, int) and end is not None and end < begin:
        raise InputError("until", format_duration(end), f"a time that is not before {format_duration(begin)}")
    return begin, end


class Run(Noted, Pictured):
    """One run: all events, and how it ended. `print()` shows its ladder."""

    def __init__(
        self,
        scenario: Scenario,
        name: str,
        changes: dict[str, Any],
        seed: int,
        until_us: int,
        played: Played,
        between: Between = (None, None),
    ) -> None:
        self.scenario = scenario
        self.name = name
        self.changes = changes
        self.seed = seed
        self.horizon_us = until_us
        self.played = played
        self.between = between

    @property
    def ended(self) -> Ended:
        """The pair at the end of the run."""
        return self.played.ended

    @property
    def events(self) -> tuple[Event, ...]:
        """All events in order. `t_us` is the time of an event in microseconds."""
        return self.played.events

    @property
    def verdict(self) -> Verdict:
        """CLEAN, PERMANENT, or RUNNING (something will still happen after the horizon)."""
        return self.ended.verdict

    @property
    def permanent(self) -> bool:
        """True if a socket stays for ever, because no event can end it."""
        return self.verdict is Verdict.PERMANENT

    @property
    def client(self) -> tuple[Held, ...]:
        """The sockets that the client's host holds at the end."""
        return self.ended.client

    @property
    def server(self) -> tuple[Held, ...]:
        """The sockets that the server's host holds at the end."""
        return self.ended.server

    @property
    def relays(self) -> tuple[tuple[Held, ...], ...]:
        """The sockets that each machine between holds at the end."""
        return self.ended.relays

    @cached_property
    def surprises(self) -> tuple[str, ...] | None:
        """The differences from the end that the scenario expects; None if it expects nothing."""
        return None if self.scenario.expect is None else surprises(self.scenario.expect, self.played)

    @property
    def stacks(self) -> dict[Side, str]:
        """The name of each side's stack."""
        begun = self.played.begun
        return {side: begun.machine(side).system.end.stack.name for side in begun.names}

    @cached_property
    def story(self) -> Story:
        """The events as the ladder shows them."""
        end_us, begun = self.horizon_us if self.verdict is Verdict.RUNNING else None, self.played.begun
        whole = tell(self.events, titles(begun), end_us, begun.names)
        begin, end = self.between
        return part(whole, close_us(whole) if isinstance(begin, str) else begin, end)

    def _sample(self) -> Sample:
        return sample_of(self.scenario, self.changes, self.seed, self.horizon_us)

    @cached_property
    def looked_at(self) -> list[Played]:
        """The run itself."""
        return [self.played]

    def caption(self) -> Caption:
        return caption_of(self.scenario, self.changes)

    def headline(self) -> str:
        return f"{self.scenario.name}: {self.ended.describe()}"

    def ladder(self) -> str:
        """The ladder alone, as text."""
        return ladder(self.story)

    def summary(self) -> str:
        """The verdict, the sockets of each side, the number of segments, lost requests, and notes."""
        return verdict_text(self.played) + "".join(f"{line}\n" for line in self._notes())

    def text(self) -> str:
        head = "\n".join(self.caption().lines(WIDTH))
        return f"{head}\n\n{self.ladder()}\n{self.summary()}"

    def figure(self) -> Figure:
        from tcpsim.draw.ladder_figure import ladder_figure

        return ladder_figure(self.story, str(self.caption()))

    def ss(self, age: str | int, side: Side | None = None) -> str:
        """The output of `ss -tanop` on both hosts, or on one, at this age of the connection.

        >>> import tcpsim
        >>> print(tcpsim.run("closewait-ignored-eof").ss("90s", "client"), end="")
        State      Recv-Q Send-Q Local Address:Port  Peer Address:Port Process
        CLOSE-WAIT 0      0       198.51.100.7:40000   192.0.2.10:5000 users:(("client",pid=1,fd=3))

        Raises:
            InputError: the age is no time, or it is beyond the horizon.
        """
        from tcpsim.diagnosis.simulated_dump import sockets
        from tcpsim.dumps.ss_output import ss

        at_us = parse_duration(age, "ss")
        if at_us > self.horizon_us:
            raise InputError(
                "ss", format_duration(at_us), f"up to the horizon, {format_duration(self.horizon_us)}"
            )
        pair = run_pair(self.played.begun, Seeded(self.seed), at_us).pair
        if side is not None:
            return ss(sockets(pair, side, at_us))
        return "\n".join(
            f"# {each}, {format_duration(at_us)}\n{ss(sockets(pair, each, at_us))}" for each in pair.names
        )

    def mermaid(self) -> str:
        """The ladder as a sequence diagram in mermaid."""
        from tcpsim.draw.mermaid import ladder_mermaid

        return ladder_mermaid(self.story)

    def states(self) -> Figure:
        """The state diagram with the paths that both ends took."""
        from tcpsim.draw.states_figure import paths_taken, states_figure

        return states_figure(paths_taken(self.story), str(self.caption()))

    def packetdrill(self, side: Side = "server") -> str:
        """One end of the run as a packetdrill script. The script passes when it is replayed.

        Raises:
            InputError: a script cannot express this run.
        """
        from tcpsim.conformance.packetdrill.export import exported

        if side not in SIDES:
            raise InputError("packetdrill", side, "client or server: a script has one connection")
        machine = self.played.begun.machine(side)
        title = self.origin.line()
        return exported(self.events, side, machine.system.end.stack, title)

    def pcapng(self, ipv6: bool = False) -> bytes:
        """Both ends of the run as a packet capture, states and timers as comments; payloads are zeros."""
        from tcpsim import __version__
        from tcpsim.capture import capture

        title = f"tcpsim run {self.name}: {self.scenario.title}"
        return capture(self.events, self.stacks, title, f"tcpsim {__version__}", ipv6)

    def save_pcapng(self, path: str | PathLike[str], ipv6: bool = False) -> None:
        """Write both ends of the run as a packet capture."""
        from tcpsim.measure.results import whole_or_nothing

        with whole_or_nothing(Path(path)) as partial:
            partial.write_bytes(self.pcapng(ipv6))

    def page(self, losses: int | None = None, beside: Any = ()) -> Page:
        """This connection as a page on which a reader chooses which segments are lost; see `tcpsim.page`."""
        from tcpsim.api.page import page

        return page(self.scenario, losses=losses, beside=beside, horizon=self.horizon_us, **self.changes)

    def _writers(self) -> dict[str, Any]:
        return {
            **super()._writers(),
            ".pkt": self.save_packetdrill,
            ".mmd": self._save_mermaid,
            ".pcapng": self.save_pcapng,
        }

    def _save_mermaid(self, path: Path) -> None:
        self._write(path, self.mermaid())

    def save_packetdrill(self, path: str | PathLike[str], side: Side = "server") -> None:
        """Write one end of the run as a packetdrill script."""
        self._write(Path(path), self.packetdrill(side))

    def _table(self) -> Table:
        from tcpsim.measure.results import Table

        return Table.of_rows([event_record(event) for event in self.events])

    def to_dict(self) -> dict[str, Any]:
        sides: dict[str, Any] = {
            side: {
                "stack": self.stacks[side],
                "state": _main_state(self.ended.of(side)),
                "last_change_us": self.played.last_change_us(side),
                "sockets": [
                    held_record(held) | {"since_us": since_us}
                    for held, since_us in zip(self.ended.of(side), self.played.since_us(side), strict=True)
                ],
            }
            for side in (*SIDES, *self.ended.sides[1:-1])
        }
        return {
            "scenario": self.scenario.name,
            **self.document(),
            "seed": self.seed,
            "verdict": str(self.verdict),
            "half_open": self.ended.half_open,
            "ended_us": self.ended.t_us,
            "horizon_us": self.horizon_us,
            **sides,
            "segments": sum(isinstance(event, Sent) for event in self.events),
            "lost": sum(isinstance(event, Lost) for event in self.events),
            "resets": self.played.resets,
            "requests": {
                "sent": len(self.played.requests),
                "answered": sum(each.answered for each in self.played.requests),
                "lost": sum(each.lost for each in self.played.requests),
                "reset": sum(each.reset for each in self.played.requests),
                "cut_short": sum(each.cut_short for each in self.played.requests),
            },
            **self._notes_record(),
            "events": [event_record(event) for event in self.events],
        }


def _main_state(held: tuple[Held, ...]) -> str:
    """The state of a side; CLOSED if it has no socket, and several states joined by " + "."""
    alive = [str(socket.state) for socket in held if socket.state is not State.CLOSED]
    return " + ".join(alive) or str(State.CLOSED)
