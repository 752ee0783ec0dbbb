@0xe07c455c79e206a5;
# What a system is: the one typed value that the initial init system reads.

struct Manifest {
  name @0 :Text;
  # For people: which system this is.

  libos @1 :Libos;
  program @2 :Program;
  # What PID 1 becomes.

  struct Libos {
    id @0 :Text;             # its name in the libOS table
    module @1 :Text;         # path of its module in the initrd
    memoryPages @2 :UInt64;  # its ledger's limit; 0: all that is left
    grants @3 :List(Grant);
  }

  struct Grant {
    name @0 :Text;           # the capability's name in the CapSet of who gets it
    source @1 :Text;         # the name that it has with who gives it; of libos.grants:
                             # with the initial init system
  }

  struct Program {
    path @0 :Text;           # absolute, in the libOS's files
    arguments @1 :List(Text); # the first is the program's own name
    environment @2 :List(Text); # NAME=value
    plainConsole @3 :Bool;   # the console carries bytes, not a person's typing: no
                             # echo, no signals, nothing translated; ^D still ends
                             # the input
    grants @4 :List(Grant);  # what it may use itself, by the exokernel's vector: `name`
                             # in its CapSet, `source` a name of libos.grants
  }
}
