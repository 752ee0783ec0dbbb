@0x87045897e4fa498d;
# Random bytes that nobody can guess, whatever was given to others before or is
# afterwards. One generator for the machine.

interface Entropy {
  read @0 (count :UInt32) -> (data :Data);
  # Exactly `count` bytes. INVALID: more than 2048. BUSY: the machine has no
  # random numbers of its own and has not seen enough interrupts yet (ask again
  # after a sleep); once it has answered it does not refuse again.
}
