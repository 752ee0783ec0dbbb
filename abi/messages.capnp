@0xa9e1c64d70b3f852;
# The small buffer through which libOSes on the real process table reach each
# other: notes to begin a conversation with, not a channel to hold it on.

interface MessageBuffer {
  # A libOS's own: `modules` in its CapSet. DENIED, from every method: the caller
  # is isolated. GONE: the libOS whose buffer it is has ended.

  send @0 (to :Text, data :Data) -> ();
  # Leaves a message in the buffer of the libOS `to`: its own, too. Who it is
  # from is the exokernel's word. At most 256 bytes: INVALID. NOT_FOUND: no such
  # libOS, or an isolated one. BUSY: as many of this sender's are there as may
  # be; there is always room for one of everybody's, and for more while others
  # have not taken it.

  receive @1 () -> (from :Text, data :Data);
  # Waits for the next message, in order of arrival, and takes it. TOO_SMALL: the
  # results buffer has not room for the largest (384 bytes); nothing is taken.
  # BUSY: 1,024 wait already.

  waiting @2 () -> (messages :UInt32);
  # How many are there.
}
