@0xe49dce9e012b7c26;
# Taking back what was given.

using Libos = import "libos.capnp";

interface Revoker {
  lease @0 (object :Libos.AnyCapability) -> (lease :Libos.AnyCapability);
  # A capability that does what `object` does, until revoke. It can be passed on
  # and leased again, eight leases deep. What the exokernel's objects answer to a
  # call through it is leased in the same way; what a server answers is not.
  # Charged to the caller: 64 bytes.
  #
  # NO_CAP: no object. GONE: it is a lease, and dead. INVALID: too deep, or this
  # Revoker itself.

  revoke @1 () -> ();
  # Every lease made so far is dead, whoever holds it and whatever was made of it
  # by lease: calls on it and with it are refused with GONE, until it is released.
  # What was mapped through one is unmapped. Calls that were accepted before go
  # on; a receive that waits by a leased Endpoint gets none any more (GONE, when there
  # is one). The time it takes does not depend on how many leases there are or who
  # holds them, but on what is mapped: AddressSpace.map says how much that can be.
  #
  # The same happens when the last capability to the Revoker goes: leases live
  # no longer than the session that gave them.
}
