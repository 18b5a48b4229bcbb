// Workload W1 (benchmarks/w1.py) on ns-3: N connections, Poisson arrivals, 10 ms each way, independent loss of
// every packet, 100 octets up, 1000 down, the server closes first, one client in ten never closes. Sockets are
// counted by state once a second from the State trace source, as a user of ns-3 has to do it.
//
//   --pairs=1            one client and one server node, as a user would write it
//   --pairs=200 --bare=1 tuned: 200 pairs of nodes, since a look-up walks through all sockets of a node, and
//                        no queue disciplines
//
// Prints one line: connections, seconds of processor time while the simulation runs, events, CLOSE-WAIT at the end.
#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"
#include "ns3/point-to-point-module.h"
#include "ns3/traffic-control-module.h"

#include <ctime>
#include <iostream>
#include <unistd.h>
#include <unordered_map>
#include <vector>

using namespace ns3;

namespace
{
constexpr uint32_t REQUEST = 100;
constexpr uint32_t RESPONSE = 1000;
constexpr double FORGETS = 0.1;

uint32_t connections = 10000;
uint32_t begun = 0;
std::vector<Ptr<Node>> clients;
std::vector<Address> servers;
std::vector<Ptr<Socket>> held; // what a program holds stays
std::unordered_map<Socket*, uint32_t> received;
int64_t count[2][TcpSocket::LAST_STATE + 1];
std::vector<std::vector<int64_t>> census;
Ptr<UniformRandomVariable> chance;
Ptr<ExponentialRandomVariable> gap;

void
Changed(int side, TcpSocket::TcpStates_t before, TcpSocket::TcpStates_t after)
{
    count[side][before]--;
    count[side][after]++;
}

void
Watch(Ptr<Socket> socket, int side)
{
    auto tcp = DynamicCast<TcpSocketBase>(socket);
    tcp->TraceConnectWithoutContext("State", MakeBoundCallback(&Changed, side));
}

uint32_t
ReadAll(Ptr<Socket> socket)
{
    uint32_t octets = 0;
    while (Ptr<Packet> packet = socket->Recv())
    {
        if (packet->GetSize() == 0)
        {
            break;
        }
        octets += packet->GetSize();
    }
    return octets;
}

void
ServerReads(Ptr<Socket> socket)
{
    uint32_t& sofar = received[PeekPointer(socket)];
    const bool answered = sofar >= REQUEST;
    sofar += ReadAll(socket);
    if (!answered && sofar >= REQUEST)
    {
        socket->Send(Create<Packet>(RESPONSE));
        socket->Close();
    }
}

void
Accepted(Ptr<Socket> socket, const Address&)
{
    received[PeekPointer(socket)] = 0;
    count[1][TcpSocket::ESTABLISHED]++;
    Watch(socket, 1);
    socket->SetRecvCallback(MakeCallback(&ServerReads));
}

void
Connected(Ptr<Socket> socket)
{
    socket->Send(Create<Packet>(REQUEST));
}

void
ClientReads(Ptr<Socket> socket)
{
    ReadAll(socket);
}

void
EndOfFile(Ptr<Socket> socket)
{
    ReadAll(socket);
    if (chance->GetValue() >= FORGETS)
    {
        Simulator::ScheduleNow(&Socket::Close, socket);
    }
}

void
Begin()
{
    const uint32_t at = begun++ % clients.size();
    auto socket = Socket::CreateSocket(clients[at], TcpSocketFactory::GetTypeId());
    held.push_back(socket);
    count[0][TcpSocket::CLOSED]++;
    Watch(socket, 0);
    socket->SetConnectCallback(MakeCallback(&Connected), MakeNullCallback<void, Ptr<Socket>>());
    socket->SetRecvCallback(MakeCallback(&ClientReads));
    socket->SetCloseCallbacks(MakeCallback(&EndOfFile), MakeNullCallback<void, Ptr<Socket>>());
    socket->Bind();
    socket->Connect(servers[at]);
    if (begun < connections)
    {
        Simulator::Schedule(Seconds(gap->GetValue()), &Begin);
    }
}

void
Count()
{
    std::vector<int64_t> now;
    for (auto& side : count)
    {
        now.insert(now.end(), std::begin(side), std::end(side));
    }
    census.push_back(now);
    Simulator::Schedule(Seconds(1), &Count);
}

void
Lose(Ptr<NetDevice> device, double p)
{
    auto errors = CreateObject<RateErrorModel>();
    errors->SetUnit(RateErrorModel::ERROR_UNIT_PACKET);
    errors->SetRate(p);
    device->SetAttribute("ReceiveErrorModel", PointerValue(errors));
}
} // namespace

int
main(int argc, char* argv[])
{
    double p = 0.01;
    double rate = 50;
    uint32_t pairs = 1;
    bool bare = false;
    CommandLine words;
    words.AddValue("n", "connections", connections);
    words.AddValue("loss", "of every packet", p);
    words.AddValue("pairs", "of nodes", pairs);
    words.AddValue("bare", "without queue disciplines", bare);
    words.Parse(argc, argv);
    Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(1448));
    Config::SetDefault("ns3::TcpSocketBase::MaxSegLifetime", DoubleValue(30)); // TIME-WAIT 60 s
    chance = CreateObject<UniformRandomVariable>();
    gap = CreateObject<ExponentialRandomVariable>();
    gap->SetAttribute("Mean", DoubleValue(1 / rate));
    Ipv4AddressHelper addresses("10.0.0.0", "255.255.255.252");
    for (uint32_t at = 0; at < pairs; at++)
    {
        NodeContainer nodes(2);
        PointToPointHelper line;
        line.SetDeviceAttribute("DataRate", StringValue("1Gbps"));
        line.SetChannelAttribute("Delay", StringValue("10ms"));
        auto devices = line.Install(nodes);
        if (p > 0)
        {
            Lose(devices.Get(0), p);
            Lose(devices.Get(1), p);
        }
        InternetStackHelper stack;
        stack.SetIpv6StackInstall(false);
        stack.Install(nodes);
        auto interfaces = addresses.Assign(devices);
        addresses.NewNetwork();
        if (bare)
        {
            TrafficControlHelper().Uninstall(devices);
        }
        auto listener = Socket::CreateSocket(nodes.Get(1), TcpSocketFactory::GetTypeId());
        listener->Bind(InetSocketAddress(Ipv4Address::GetAny(), 80));
        listener->Listen();
        listener->SetAcceptCallback(MakeNullCallback<bool, Ptr<Socket>, const Address&>(), MakeCallback(&Accepted));
        held.push_back(listener);
        clients.push_back(nodes.Get(0));
        servers.push_back(InetSocketAddress(interfaces.GetAddress(1), 80));
    }
    Simulator::Schedule(Seconds(1), &Begin);
    Simulator::Schedule(Seconds(1), &Count);
    Simulator::Stop(Seconds(1 + connections / rate + 120));
    const auto began = std::clock();
    Simulator::Run();
    const double seconds = double(std::clock() - began) / CLOCKS_PER_SEC;
    std::cout << connections << ' ' << seconds << ' ' << Simulator::GetEventCount() << ' '
              << count[0][TcpSocket::CLOSE_WAIT] << std::endl;
    _exit(0); // what ns-3 tears down takes as long again
}
