@0xaddd193337085b82;
# The machine's console: a byte stream both ways. One line of hardware, so the
# bytes of one write stand together.

interface Console {
  write @0 (data :Data) -> ();
  # All bytes are written before the answer.

  read @1 (most :UInt32) -> (data :Data);
  # Waits for input, then gives what is there, at least one byte and at most
  # `most`. One reader at a time: a second one is told BUSY.
}
