@0xc1f1ffc0b3a9d0a7;
# A system for test/boot/modules/handover.c: libOS `probe`, with the table.

const system :import "/abi/manifest.capnp".Manifest = (
  name = "handover",
  libos = (
    id = "probe",
    module = "/boot/linux.mod",
    grants = [
      (name = "console", source = "console"),
      (name = "power", source = "power"),
      (name = "table", source = "libos"),
    ],
  ),
  program = (path = "/none", arguments = ["none"]),
);
