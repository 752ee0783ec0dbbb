@0xc897995d879a3ea9;
# Events without messages: 64 bits that are set by signals and taken by whoever
# waits. A bit that is signalled twice before it is taken is one event.

using Libos = import "libos.capnp";

interface Notification {
  signal @0 (bits :UInt64) -> ();

  wait @1 (mask :UInt64) -> (bits :UInt64);
  # Answers when a bit of the mask is set, with those that are, and clears them.
  # Of several waiters the first that wants a bit has it. BUSY: 1,024 wait.

  poll @2 (mask :UInt64) -> (bits :UInt64);
  # The same without waiting; 0 if none is set.

  bind @3 (userData :UInt64) -> ();
  # Every time that bits are set while none were, the calling ring gets a
  # completion (RING_POSTED) with that user data; poll says which. If the
  # completion queue is full the event stays, and comes with a later signal. One
  # ring at a time: BUSY.

  unbind @4 () -> ();

  signaller @5 () -> (signaller :Signaller);
  # A facet that can only signal.
}

interface Signaller {
  signal @0 (bits :UInt64) -> ();
}
