"""Show: ladders, the state diagram and curves. The only room that imports matplotlib."""
