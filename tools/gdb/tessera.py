# tessera.py: gdb commands that know the exokernel's structures. `./tess debug`
# loads this; `help tessera` lists them.
#
# A CPU that runs a program under a module does not map the exokernel, so its
# structures are read by physical address: QEMU's gdb stub can be told to.
# Only addresses in the kernel's image and in the linear map are read this way.

import os
import re

import gdb

KERNEL_BASE = 0xFFFFFFFF80000000
PHYSMAP_BASE = 0xFFFF800000000000
MODULE_SLOT = 384
PRESENT, WRITE, USER, LARGE, NX = 1, 2, 4, 1 << 7, 1 << 63
ADDRESS = 0x000FFFFFFFFFF000
SOFTWARE_BITS = "COPY", "SHARED", "SEALED"  # kernel/space.c, from bit 9 on


class Failure(gdb.GdbError):
    pass


# -- reading ------------------------------------------------------------------


def physical_mode(on):
    gdb.execute("maintenance packet Qqemu.PhyMemMode:%d" % on, to_string=True)


def read_physical(address, size):
    physical_mode(1)
    try:
        return bytes(gdb.selected_inferior().read_memory(address, size))
    finally:
        physical_mode(0)


def read(address, size):
    """Bytes of the exokernel's memory. Its linear addresses never cross a hole."""
    if address >= KERNEL_BASE:
        return read_physical(address - KERNEL_BASE, size)
    if PHYSMAP_BASE <= address < PHYSMAP_BASE + (1 << 39):
        return read_physical(address - PHYSMAP_BASE, size)
    raise Failure("0x%x is not the exokernel's memory" % address)


def load(type_name, address):
    """The structure at an address, as a gdb value that is no lvalue."""
    kind = gdb.lookup_type(type_name) if isinstance(type_name, str) else type_name
    return gdb.Value(read(int(address), kind.sizeof), kind)


def variable(name):
    symbol = gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name)
    if symbol is None:
        raise Failure("no symbol %s: is this the exokernel?" % name)
    where = int(gdb.parse_and_eval("(unsigned long)&%s" % name))
    return gdb.Value(read(where, symbol.type.sizeof), symbol.type), where


def pointers(array):
    low, high = array.type.range()
    return [int(array[i]) for i in range(low, high + 1) if int(array[i]) != 0]


def text(array):
    return bytes(int(array[i]) & 0xFF for i in range(array.type.sizeof)).split(b"\0")[0].decode(
        "utf-8", "replace")


def c_string(address):
    """A string literal of the exokernel, at most 64 bytes."""
    return read(address, 64).split(b"\0")[0].decode("utf-8", "replace")


def address_of(argument):
    """What the user wrote, an expression or a plain number, as an address."""
    value = gdb.parse_and_eval(argument)
    if value.type.strip_typedefs().code == gdb.TYPE_CODE_STRUCT:
        value = value.address
    return int(value.cast(gdb.lookup_type("unsigned long"))) & (1 << 64) - 1


def enum_name(value, prefix):
    return str(value).replace(prefix, "").lower()


# -- walking the exokernel ----------------------------------------------------


def all_cpus():
    return [(pointer, load("struct cpu", pointer)) for pointer in pointers(variable("cpus")[0])]


def current_threads():
    return {int(cpu["current"]): int(cpu["index"]) for _, cpu in all_cpus() if int(cpu["current"])}


def libos_table():
    symbol = gdb.lookup_symbol("libos_type")[0]
    table = gdb.parse_and_eval("(unsigned long)&'kernel/libos.c'::table")
    kind = gdb.parse_and_eval("sizeof('kernel/libos.c'::table)")
    if symbol is None:
        raise Failure("no libOS table")
    raw = read(int(table), int(kind))
    slots = [int.from_bytes(raw[i:i + 8], "little") for i in range(0, len(raw), 8)]
    return [(slot, load("struct libos", slot)) for slot in slots if slot]


def processes():
    seen = {}
    tables = [variable("pids")[0]]
    tables += [libos["own_pids"] for _, libos in libos_table() if libos["isolated"]]
    for table in tables:
        slots = int(table["slots"])
        if slots == 0:
            continue
        raw = read(slots, 8 * int(table["count"]))
        for i in range(0, len(raw), 8):
            process = int.from_bytes(raw[i:i + 8], "little")
            if process:
                seen[process] = load("struct process", process)
    return sorted(seen.items(), key=lambda item: int(item[1]["pid"]))


def threads_of(process):
    at = int(process["threads"])
    while at:
        thread = load("struct thread", at)
        yield at, thread
        at = int(thread["next_in_process"])


def libos_name(address):
    return text(load("struct libos", address)["id"]) if address else "(none)"


# -- printing -----------------------------------------------------------------


def ring_of(cs):
    return {0: "exokernel", 1: "module", 3: "program"}.get(int(cs) & 3, "ring 2")


def thread_line(at, thread, running):
    regs = thread["regs"]
    where = "cpu %d" % running[at] if at in running else ring_of(regs["cs"])
    return "    thread 0x%x  %-8s %-9s rip 0x%x rsp 0x%x" % (
        at, enum_name(thread["state"], "THREAD_"), where, int(regs["rip"]), int(regs["rsp"]))


def print_thread(at):
    thread = load("struct thread", at)
    regs = thread["regs"]
    process = int(thread["process"])
    print("thread 0x%x: %s, cpu %d%s%s" % (
        at, enum_name(thread["state"], "THREAD_"), int(thread["cpu"]),
        ", dying" if thread["dying"] else "", ", interrupted" if thread["interrupted"] else ""))
    if process:
        owner = load("struct process", process)
        print("  process 0x%x, pid %d, libOS %s" % (
            process, int(owner["pid"]), libos_name(int(owner["libos"]))))
    names = [field.name for field in regs.type.fields()]
    for i in range(0, len(names), 4):
        print("  " + "  ".join("%-12s %016x" % (n, int(regs[n])) for n in names[i:i + 4]))
    if not regs["full"]:
        print("  (at a system call: the registers that it clobbers are not kept)")
    for i, kind in enumerate(("program", "module")):
        ring = thread["rings"][i]
        if int(ring["page"]):
            page = load("struct ring", int(ring["page"]))
            print("  %s ring at 0x%x: sq %d..%d  cq %d..%d" % (
                kind, int(ring["address"]), int(ring["sq_head"]), int(page["sq_tail"]),
                int(page["cq_head"]), int(ring["cq_tail"])))
    if enum_name(thread["state"], "THREAD_") == "waiting":
        print("  waits for %d more completions" % int(thread["wait_more"]))


def capset_names(domain):
    """Ids that the CapSet names."""
    names = {}
    if int(domain["capset"]):
        capset = load("struct capset", int(domain["capset"]))
        for i in range(int(capset["count"])):
            names[int(capset["entries"][i]["cap"])] = text(capset["entries"][i]["name"])
    return names


def print_captable(table, names):
    slot_type = gdb.lookup_type("struct capslot")
    print("%d capabilities, %d slots" % (int(table["used"]), int(table["page_count"]) * 256))
    for page in range(int(table["page_count"])):
        raw = read(int(table["pages"][page]), 256 * slot_type.sizeof)
        for i in range(256):
            slot = gdb.Value(raw[i * slot_type.sizeof:(i + 1) * slot_type.sizeof], slot_type)
            if int(slot["object"]) == 0:
                continue
            cap = int(slot["id"])
            target = load("struct object", int(slot["object"]))
            kind = load("struct object_type", int(target["type"]))
            if int(slot["epoch"]) == 0xffffffff:
                dead = "  (moving)"
            else:
                dead = "" if int(slot["epoch"]) == int(target["epoch"]) else "  (revoked)"
            print("  0x%08x  %-16s 0x%x  refs %d  %s%s" % (
                cap, c_string(int(kind["name"])), int(slot["object"]), int(target["refs"]),
                names.get(cap, ""), dead))


def print_domain(at):
    domain = load("struct domain", at)
    ledger = load("struct ledger", int(domain["ledger"]))
    print("domain 0x%x: %d of %d KiB used, at most %d" % (
        at, int(ledger["used"]) // 1024, int(ledger["limit"]) // 1024, int(ledger["peak"]) // 1024))
    print_captable(domain["table"], capset_names(domain))


def entries(table):
    raw = read(table, 4096)
    return [int.from_bytes(raw[i:i + 8], "little") for i in range(0, 4096, 8)]


def walk(table, level, base, rights=WRITE | USER):
    """(address, size, entry) of each mapping under a table, rights folded in."""
    for i, entry in enumerate(entries(table)):
        if not entry & PRESENT:
            continue
        size = 1 << 12 + 9 * (level - 1)
        address = base + i * size
        allowed = rights & entry
        if level == 1 or entry & LARGE:
            yield address, size, entry & ~(WRITE | USER) | allowed
        else:
            yield from walk(PHYSMAP_BASE + (entry & ADDRESS), level - 1, address, allowed)


def describe(entry):
    bits = "r%s%s %s" % ("w" if entry & WRITE else "-", "-" if entry & NX else "x",
                         "user" if entry & USER else "supervisor")
    marks = [name for i, name in enumerate(SOFTWARE_BITS) if entry >> 9 + i & 1]
    return " ".join([bits] + marks)


def print_mappings(mappings):
    start = end = what = None
    for address, size, entry in mappings:
        now = describe(entry)
        if address == end and now == what:
            end += size
            continue
        if start is not None:
            print("  %016x-%016x %6d KiB  %s" % (start, end, (end - start) // 1024, what))
        start, end, what = address, address + size, now
    if start is not None:
        print("  %016x-%016x %6d KiB  %s" % (start, end, (end - start) // 1024, what))


def print_space(at):
    space = load("struct space", at)
    region = int(space["region"])
    if region:
        print("module region 0x%x" % at)
        print_mappings(walk(region, 3, 0xFFFF000000000000 | MODULE_SLOT << 39))
        return
    print("address space 0x%x%s" % (
        at, ", shows module region 0x%x" % int(space["module"]) if int(space["module"]) else ""))
    tops = pointers(space["top"])
    if not tops:
        return
    for i, entry in enumerate(entries(tops[0])[:256]):
        if entry & PRESENT:
            print_mappings(walk(PHYSMAP_BASE + (entry & ADDRESS), 3, i << 39, entry & (WRITE | USER)))


# -- commands -----------------------------------------------------------------


class Tessera(gdb.Command):
    """Print what the exokernel knows: threads, capabilities, address spaces."""

    def __init__(self):
        super().__init__("tessera", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)


def command(function):
    """Makes `tessera NAME` of a function that takes the argument string."""

    def invoke(self, argument, from_tty):
        function(argument.strip())

    name = function.__name__.replace("command_", "")
    kind = type(name, (gdb.Command,), {"__doc__": function.__doc__, "invoke": invoke})
    kind("tessera " + name, gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)
    return function


Tessera()


@command
def command_cpus(argument):
    """tessera cpus: every CPU and what it runs."""
    for at, cpu in all_cpus():
        current = int(cpu["current"])
        print("cpu %d at 0x%x: %s%s" % (
            int(cpu["index"]), at, "thread 0x%x" % current if current else "idle",
            ", to reschedule" if cpu["reschedule"] else ""))


@command
def command_threads(argument):
    """tessera threads: every process and its threads."""
    running = current_threads()
    for at, process in processes():
        print("pid %d  process 0x%x  libOS %s  space 0x%x  domain 0x%x" % (
            int(process["pid"]), at, libos_name(int(process["libos"])), int(process["space"]),
            int(process["domain"])))
        for thread_at, thread in threads_of(process):
            print(thread_line(thread_at, thread, running))


@command
def command_thread(argument):
    """tessera thread [ADDRESS]: one thread, or those that run now."""
    chosen = [address_of(argument)] if argument else list(current_threads())
    if not chosen:
        print("every CPU is idle")
    for at in chosen:
        print_thread(at)


@command
def command_libos(argument):
    """tessera libos: the table of library OSes."""
    for at, libos in libos_table():
        print("%-16s libos 0x%x  processes %d  region 0x%x  domain 0x%x  module %d bytes%s" % (
            text(libos["id"]), at, int(libos["processes"]), int(libos["region"]),
            int(libos["domain"]), int(libos["module_bytes"]),
            "  isolated" if libos["isolated"] else ""))


@command
def command_caps(argument):
    """tessera caps [DOMAIN | LIBOS-ID]: a domain's capabilities; else every libOS's."""
    tables = {text(libos["id"]): int(libos["domain"]) for _, libos in libos_table()}
    if argument in tables:
        print_domain(tables[argument])
    elif argument:
        print_domain(address_of(argument))
    else:
        for name, domain in tables.items():
            print("libOS %s:" % name)
            if domain:
                print_domain(domain)


@command
def command_captable(argument):
    """tessera captable ADDRESS: a bare struct captable."""
    print_captable(load("struct captable", address_of(argument)), {})


@command
def command_space(argument):
    """tessera space [ADDRESS]: what an address space or module region maps; else
    those of the threads that run now."""
    if argument:
        print_space(address_of(argument))
        return
    for at in current_threads():
        process = int(load("struct thread", at)["process"])
        if process:
            print_space(int(load("struct process", process)["space"]))


def show_file(variable_name, what):
    path = os.environ.get(variable_name)
    if not path or not os.path.exists(path):
        raise Failure("%s: not kept; use ./tess debug" % what)
    with open(path, "rb") as file:
        print(re.sub(r"\r", "", file.read().decode("utf-8", "replace")), end="")


@command
def command_log(argument):
    """tessera log: what the exokernel has said."""
    show_file("TESSERA_LOG", "log")


@command
def command_console(argument):
    """tessera console: what the guest has printed."""
    show_file("TESSERA_CONSOLE", "console")


@command
def command_module(argument):
    """tessera module FILE: the symbols of a libOS's module (build/os/linux.mod.debug)."""
    gdb.execute("add-symbol-file " + argument)


gdb.execute("set confirm off")
gdb.execute("set pagination off")
