@0xf3dfee086ef42e4d;
# A system for test/boot/modules/inspect.c: libOS `launcher`, with the table.

const system :import "/abi/manifest.capnp".Manifest = (
  name = "inspect",
  libos = (
    id = "launcher",
    module = "/boot/linux.mod",
    memoryPages = 4096,
    grants = [
      (name = "console", source = "console"),
      (name = "power", source = "power"),
      (name = "memory", source = "memory"),
      (name = "table", source = "libos"),
    ],
  ),
  program = (path = "/none", arguments = ["none"]),
);
