@0xdab5c2316653d929;
# Looking without holding: what the libOS of the calling process has. Every
# answer is about the caller's own process and libOS, whoever the Inspector came
# from, and is a description: it names nothing that could be used. No answer
# carries a capability, a capability's id or an address of the exokernel's.
#
# Figures are of the moment of the answer. What a list tells over several calls
# may have changed between them: something can come twice or be missed.

interface Inspector {
  libos @0 () -> (libos :LibosDescription);

  process @1 () -> (process :ProcessDescription);

  kinds @2 (first :UInt32) -> (kinds :List(Kind), next :UInt32);
  # What the libOS's domain holds, counted by kind, from the kind numbered
  # `first` on: as many as fit into the caller's results buffer (TOO_SMALL: not
  # one). `next`: where to go on; 0: that was all.

  capabilities @3 (first :UInt32) -> (held :List(Held), next :UInt32);
  # The same one by one. The numbers count what is held; they are no ids. What
  # was revoked is not listed.

  page @4 (address :UInt64) -> (page :PageDescription);
  # The page at any address of the caller's own: INVALID elsewhere. A program
  # asks about the program half, a module about the module region too.
}

struct LibosDescription {
  id @0 :Text;
  isolated @1 :Bool;        # it has a process table of its own
  processes @2 :UInt32;     # the caller's included
  threads @3 :UInt32;       # of all of these
  capabilities @4 :UInt32;  # that its domain holds, dead ones included
  moduleBytes @5 :UInt64;   # 0: an empty module, so its programs are native
  limit @6 :UInt64;         # its ledger, in bytes; as Ledger.query has them
  used @7 :UInt64;
  peak @8 :UInt64;
  others @9 :UInt32;        # how many other libOSes there are
  processors @10 :UInt32;   # that its threads run on
}

struct ProcessDescription {
  pid @0 :UInt32;
  threads @1 :UInt32;
  capabilities @2 :UInt32;  # of the program's own domain
  ownDomain @3 :Bool;       # false: its domain is the libOS's itself (NONE)
  spaceHolders @4 :UInt32;
  # Who else holds this address space: capabilities to it, in whatever domain, and
  # what was made from them. Each could map its pages elsewhere or change them.
}

struct Kind {
  type @0 :Text;        # in words: "memory object"
  interface @1 :UInt64; # schema id; 0: facets, each of which speaks its own
  count @2 :UInt32;
  pages @3 :UInt64;     # of all of them, as far as they are memory
}

struct Held {
  type @0 :Text;
  interface @1 :UInt64;
  name @2 :Text;        # in the libOS's CapSet; empty: none
  pages @3 :UInt64;     # of memory that it names; 0: it is no memory
  leased @4 :Bool;      # it is a lease: whoever gave it can take it back
}

struct PageDescription {
  mapped @0 :Bool;
  access @1 :UInt32;    # abi/space.capnp's Access
  holders @2 :UInt32;
  # Who else holds the page's frame: page-table entries in any address space,
  # this one included, and memory objects, whether mapped now or not.
  writers @3 :UInt32;   # how many of those mappings are writable

  exclusive @4 :Bool;
  # Mapped, and by nobody else at all: no other address space shows the frame,
  # and no memory object holds it through which one could. What that leaves: the
  # threads of this process; the exokernel; the libOS's module, which shares the
  # address space; and spaceHolders, who could share the page from now on. Never
  # in the module region, which all processes of the libOS show.
}
