@0xf56ad450748ad427;
# A small service, for hello_service.c and for doc/design/ipc.md, which quotes it.

using Any = import "/abi/any.capnp";

interface Hello {
  greet @0 (name :Text) -> (greeting :Text, times :UInt32);
  # `times`: how often this client has asked. INVALID: no name.

  keep @1 (thing :Any.AnyCapability) -> ();
  # One at a time: BUSY.

  giveBack @2 () -> (thing :Any.AnyCapability);
  # NOT_FOUND: nothing is kept.

  holds @3 () -> (capabilities :UInt32);
  # How many the service has, of whatever kind.
}
