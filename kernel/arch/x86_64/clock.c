/* clock.c: see clock.h. */
#include "kernel/arch/x86_64/clock.h"

#include "kernel/arch/x86_64/acpi.h"
#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/boot.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/log.h"
#include "kernel/panic.h"

#define NS_PER_S 1000000000ul

enum {
	PM_HZ = 3579545,
	PM_WINDOW = PM_HZ / 1000,         /* at most a millisecond */
	PM_MASK = 0xffffff,               /* 24 bits are always there */
	WINDOW_PER_ERROR = 10000,         /* good enough: 100 ppm */
	EDGE_TRIES = 4,
	EDGE_POLLS = 1000000,             /* then it stands still: it ticks each 279 ns */
};

struct clock_scale clock_scale = {.shift = CLOCK_SHIFT};
uint64_t clock_tsc_hz;

uint64_t clock_now(void)
{
	return clock_read();
}

/* --- rates ------------------------------------------------------------- */

/* A moment, told by three clocks. */
struct moment {
	uint32_t pm;
	uint32_t lapic; /* counts down */
	uint64_t tsc;
	uint64_t error; /* in TSC ticks, to either side */
};

/* The moment when the PM timer next ticks. The TSC is read around each reading,
 * so how far off it can be is known; unlucky tries (the host ran something
 * else) are repeated. */
static struct moment next_edge(void)
{
	struct moment best = {.error = UINT64_MAX};

	for (unsigned i = 0; i < EDGE_TRIES; i++) {
		uint32_t first = inl(acpi_info.pm_timer) & PM_MASK, pm;
		uint64_t before = rdtsc(), after;
		unsigned polls = 0;

		while ((pm = inl(acpi_info.pm_timer) & PM_MASK) == first) {
			before = rdtsc();
			if (++polls == EDGE_POLLS)
				panic("the ACPI PM timer at port 0x%x stands still",
				      acpi_info.pm_timer);
		}
		after = rdtsc();
		if ((after - before) / 2 < best.error)
			best = (struct moment){pm, apic_timer_count(),
			                       before + (after - before) / 2,
			                       (after - before) / 2};
		if (best.error < 100)
			break;
	}
	return best;
}

/* Ends as soon as the result is good, a millisecond at most. */
static void measure(void)
{
	struct moment start, end;
	uint32_t pm;
	uint64_t tsc;

	if (acpi_info.pm_timer == 0)
		panic("no ACPI PM timer to find the TSC's rate by");
	apic_timer_measure();
	start = next_edge();
	do {
		end = next_edge();
		pm = (end.pm - start.pm) & PM_MASK;
		tsc = end.tsc - start.tsc;
	} while (pm < PM_WINDOW && tsc / WINDOW_PER_ERROR < start.error + end.error);
	clock_tsc_hz = tsc * PM_HZ / pm;
	apic_timer_set_rate((uint64_t)(start.lapic - end.lapic) * PM_HZ / pm);
}

/* The TSC's and the LAPIC timer's rates in Hz as the CPU or the hypervisor
 * tells them (SDM, CPUID leaf 15h; leaf 40000010h as VMware defined it). */
static bool told(uint64_t *tsc_hz, uint64_t *lapic_hz)
{
	struct cpuid c;

	if (cpuid(1, 0).ecx >> 31 & 1 && cpuid(0x40000000, 0).eax >= 0x40000010) {
		c = cpuid(0x40000010, 0);
		*tsc_hz = c.eax * 1000ul;
		*lapic_hz = c.ebx * 1000ul;
		return *tsc_hz != 0 && *lapic_hz != 0;
	}
	if (cpuid(0, 0).eax < 0x15)
		return false;
	c = cpuid(0x15, 0);
	if (c.eax == 0 || c.ebx == 0 || c.ecx == 0)
		return false;
	*tsc_hz = (uint64_t)c.ecx * c.ebx / c.eax;
	*lapic_hz = c.ecx;
	return true;
}

void clock_init(void)
{
	uint64_t lapic_hz;

	if (told(&clock_tsc_hz, &lapic_hz))
		apic_timer_set_rate(lapic_hz);
	else
		measure();
	KASSERT(clock_tsc_hz > 1000000);
	clock_scale.tsc_base = boot_info.entry_tsc;
	clock_scale.mult = (NS_PER_S << CLOCK_SHIFT) / clock_tsc_hz;
}

/* --- the wall clock ---------------------------------------------------- */

enum {
	CMOS_INDEX = 0x70, CMOS_DATA = 0x71,
	RTC_SECONDS = 0, RTC_MINUTES = 2, RTC_HOURS = 4, RTC_DAY = 7, RTC_MONTH = 8,
	RTC_YEAR = 9, RTC_STATUS_A = 10, RTC_STATUS_B = 11, RTC_CENTURY = 0x32,
	RTC_UPDATING = 0x80, RTC_24_HOURS = 2, RTC_BINARY = 4, RTC_PM = 0x80,
	RTC_TRIES = 100000,
};

struct rtc {
	uint8_t second, minute, hour, day, month, year, century;
};

static uint8_t cmos(uint8_t index)
{
	outb(CMOS_INDEX, index);
	return inb(CMOS_DATA);
}

/* No update is in progress on return, nor will be for 244 us. */
static bool rtc_settle(void)
{
	for (unsigned i = 0; i < RTC_TRIES; i++)
		if (!(cmos(RTC_STATUS_A) & RTC_UPDATING))
			return true;
	return false;
}

static uint8_t from_bcd(uint8_t v)
{
	return (uint8_t)((v >> 4) * 10 + (v & 15));
}

static bool rtc_read(struct rtc *t)
{
	uint8_t status = cmos(RTC_STATUS_B), pm;

	if (!rtc_settle())
		return false;
	*t = (struct rtc){cmos(RTC_SECONDS), cmos(RTC_MINUTES), cmos(RTC_HOURS),
	                  cmos(RTC_DAY), cmos(RTC_MONTH), cmos(RTC_YEAR),
	                  cmos(RTC_CENTURY)};
	pm = t->hour & RTC_PM;
	t->hour &= (uint8_t)~RTC_PM;
	if (!(status & RTC_BINARY))
		for (uint8_t *field = &t->second; field <= &t->century; field++)
			*field = from_bcd(*field);
	if (!(status & RTC_24_HOURS))
		t->hour = (uint8_t)(t->hour % 12 + (pm ? 12 : 0));
	if (t->century < 19 || t->century > 30)
		t->century = 20;
	return t->second < 60 && t->minute < 60 && t->hour < 24 && t->day >= 1 &&
	       t->day <= 31 && t->month >= 1 && t->month <= 12 && t->year < 100;
}

/* Days from 1970-01-01, Gregorian: years are counted from March, so that the
 * leap day comes last; 719468 days lie between 0000-03-01 and 1970-01-01. */
static uint64_t days_from_civil(uint64_t year, uint64_t month, uint64_t day)
{
	year -= month <= 2;
	month = (month + 9) % 12;
	return 365 * year + year / 4 - year / 100 + year / 400 +
	       (153 * month + 2) / 5 + day - 1 - 719468;
}

static uint64_t read_wall_at_boot(void)
{
	struct rtc t;
	uint64_t seconds, now;

	if (!rtc_read(&t))
		return 0;
	now = clock_now();
	seconds = days_from_civil(t.century * 100ul + t.year, t.month, t.day) * 86400 +
	          t.hour * 3600ul + t.minute * 60ul + t.second;
	return seconds * NS_PER_S - now;
}

uint64_t clock_wall;

uint64_t clock_wall_at_boot(void)
{
	if (clock_wall == 0)
		__atomic_store_n(&clock_wall, read_wall_at_boot(), __ATOMIC_RELAXED);
	return clock_wall;
}
