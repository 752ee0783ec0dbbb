@0xdc8f161d1ea05561;
# The boot bundle: the one file that the loader hands the exokernel. The image
# of the initial init system stands first; blobs follow, each on a page of its
# own; then this directory, as one flat message; then a trailer of 16 bytes
# (core/bundle.h) that says where the directory is.

struct Directory {
  entries @0 :List(Entry);
}

struct Entry {
  name @0 :Text;      # differs from every other entry's
  offset @1 :UInt64;  # in bytes from the start of the bundle; a whole page
  size @2 :UInt64;    # in bytes; what is left of the last page is zero
}
