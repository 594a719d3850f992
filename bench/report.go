package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// figure is one line of the report.
type figure struct {
	what      string
	value     string // of castellan
	baseline  string // of what it is compared with, and what that is; empty: nothing
	ratio     float64
	target    target
	reference string // what the issue says of the reference; empty: nothing
}

// target is what a figure has to be.
type target struct {
	text  string // empty: there is none, the figure is for orientation
	holds bool
}

// atMost is the target that value is no more than limit, which text says with its unit.
func atMost(value, limit float64, text string) target {
	return target{"≤ " + text, value <= limit}
}

// atLeast is the target that value is no less than limit.
func atLeast(value, limit float64, text string) target {
	return target{"≥ " + text, value >= limit}
}

// section is the figures of one engine, or those of none.
type section struct {
	title   string
	figures []figure
}

// report is everything a run has found.
type report struct {
	begun    time.Time
	took     time.Duration
	version  string // of castellan
	machine  machine
	sections []*section
}

// section begins a section.
func (r *report) section(title string) *section {
	s := &section{title: title}
	r.sections = append(r.sections, s)
	return s
}

// add appends a figure and says it at once.
func (s *section) add(f figure) {
	s.figures = append(s.figures, f)
	verdict := ""
	if f.target.text != "" {
		verdict = f.target.text + ": " + yesNo(f.target.holds)
	}
	fmt.Printf("%-10s %-52s %-18s %-42s %-7s %s\n", s.title, f.what, f.value, f.baseline, ratioText(f.ratio), verdict)
}

// score counts the targets, and those that hold.
func (r *report) score() (hold, all int) {
	for _, s := range r.sections {
		for _, f := range s.figures {
			if f.target.text != "" {
				all++
				if f.target.holds {
					hold++
				}
			}
		}
	}
	return hold, all
}

// missed names the targets that do not hold.
func (r *report) missed() (names []string) {
	for _, s := range r.sections {
		for _, f := range s.figures {
			if f.target.text != "" && !f.target.holds {
				names = append(names, fmt.Sprintf("%s: %s: %s, not %s", s.title, f.what, f.value, f.target.text))
			}
		}
	}
	return names
}

// markdown is the whole document.
func (r *report) markdown() string {
	var b strings.Builder
	hold, all := r.score()
	m := r.machine
	fmt.Fprintf(&b, `# Performance

This page is written by `+"`make bench`"+` and by nothing else: every figure was measured in one run,
beside its baseline. Run it again to replace the page; it needs Linux and the programs of a
PostgreSQL server, and takes some minutes.

%d of %d targets hold in this run.

| | |
|---|---|
| date | %s, %s long |
| castellan | %s |
| machine | %s, %d cores, %.1f GB of memory |
| system | %s, databases on %s |
| fsync of 4 KiB appended | p50 %s, p99 %s |
| Go | %s |
| PostgreSQL | %s, settings of initdb (fsync, synchronous_commit and full_page_writes on) |
| SQLite | write-ahead log, synchronous=FULL |

Clients and servers share the machine and talk over loopback. Every call to castellan carries a
token (ES256) or other credentials that are checked, except for discovery and the keys of an issuer,
which everybody may read. What is compared takes turns in short rounds; a p50, a rate and a
ratio is the median of the rounds (so a ratio need not be the quotient of its neighbours), a p99
is taken over the calls of all rounds.

- The *bare handler* is net/http on the same engine, without authentication, validation or
  encryption. To create, it commits one transaction with the rows of one of castellan's instances
  under new ids, through the same statements; to read, it makes the same point reads and returns
  the bytes that castellan returned, also where castellan needs no read because it has kept what it
  has read; to add a domain, it commits an event, the domain and the
  instance's new sequence. It is built, started and loaded like castellan.
- The instances whose pages are read in order have only the rows that a list reads, and the large
  ones that are removed only users; both were written past the API. All others were created.
- Tokens are asked for by machine users with assertions that have no jti, so that each call is one
  signature, one verification and what goes with it; what they are compared with is that cryptography
  alone, on all processors, which needs no load. So the load is kept small: its clients are not woken by
  their answers, but look for them once in a millisecond (bench/crowd.go). Woken for each, they push aside
  what they load, and what that costs, changes with how fast a virtual machine can wake somebody.
- Discovery and keys are compared with a handler that has the bytes in memory and asks nobody. What
  castellan answers is never out of date, on any node. One node alone knows by itself that nothing
  was committed; with a second one beside it, it asks the database each time, with a statement that
  begins after the request: clients who ask at the same time share one, half of them each. That round
  trip, and the wait for it, is the difference.
- The last column quotes what the issue measured of the reference on an equal machine. It is
  context and was not measured here.
`, hold, all, r.begun.UTC().Format("2006-01-02 15:04 UTC"), r.took.Round(time.Second), r.version,
		m.cpu, m.cores, m.memoryGB, m.system, m.disk, msText(p50(m.fsync)), msText(p99(m.fsync)), m.goes, m.postgres)
	for _, s := range r.sections {
		fmt.Fprintf(&b, "\n## %s\n\n", s.title)
		b.WriteString("| figure | castellan | baseline | ratio | target | holds | the reference (quoted) |\n")
		b.WriteString("|---|---:|---:|---:|---|---|---|\n")
		for _, f := range s.figures {
			holds := ""
			if f.target.text != "" {
				holds = yesNo(f.target.holds)
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n",
				f.what, f.value, f.baseline, ratioText(f.ratio), f.target.text, holds, f.reference)
		}
	}
	return b.String()
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "**no**"
}

// ratioText shows a ratio; 0 is none.
func ratioText(ratio float64) string {
	if ratio == 0 || math.IsNaN(ratio) {
		return ""
	}
	return fmt.Sprintf("%.2f", ratio)
}

// msText shows milliseconds with three digits that count.
func msText(ms float64) string { return digits(ms) + " ms" }

// rateText shows calls in a second.
func rateText(rate float64) string { return digits(rate) + "/s" }

// kibText shows bytes in KiB, mbText in MB of 10^6.
func kibText(bytes float64) string { return digits(bytes/1024) + " KiB" }
func mbText(bytes float64) string  { return digits(bytes/1e6) + " MB" }

// digits shows a number of any size with three digits, more only before the point.
func digits(x float64) string {
	switch a := math.Abs(x); {
	case a >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	default:
		return strconv.FormatFloat(x, 'f', 2, 64)
	}
}
