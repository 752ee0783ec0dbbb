@0x939c4504bd92fc95;
# Servers. Who holds an Endpoint receives calls on it (RECV, RETURN, SERVE of
# abi/ring.h); who holds a facet of it may only call.

using Libos = import "libos.capnp";

interface Endpoint {
  facet @0 (interface :UInt64, badge :UInt64) -> (facet :Libos.AnyCapability);
  # A capability that speaks `interface`: its calls arrive here, with `badge`.
  # When the last capability to it goes, the server is told (interface 0).

  info @1 () -> (waiting :UInt32, receivers :UInt32);
  # Calls that nobody has received yet; entries that wait for one.
}
