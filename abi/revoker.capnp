@0xe49dce9e012b7c26;
# Taking back what was given.

using Libos = import "libos.capnp";

interface Revoker {
  lease @0 (object :Libos.AnyCapability) -> (lease :Libos.AnyCapability);
  # A capability that does what `object` does, until revoke. It can be passed on
  # and leased again like any other.

  revoke @1 () -> ();
  # Every lease made so far is dead, whoever holds it and whatever was made of it
  # by lease; what was mapped through one is unmapped. Calls that were accepted
  # before go on. The time it takes does not depend on how many hold them.
  #
  # The same happens when the last capability to the Revoker goes: leases live
  # no longer than the session that gave them.
}
