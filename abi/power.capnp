@0xd8e702a09b89aa9b;
# The machine's power.

interface Power {
  off @0 (status :UInt32) -> ();
  # Does not return. `status` is for whoever started the machine.
}
