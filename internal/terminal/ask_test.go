package terminal_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"castellan/internal/ident"
	"castellan/internal/terminal"
	"castellan/internal/terminal/terminaltest"
)

// does returns what runs a program of one command.
func does(run func(ctx context.Context, t *terminal.Terminal) error) terminaltest.Runner {
	return terminaltest.Runner{Root: func(t *terminal.Terminal) *cobra.Command {
		cmd := &cobra.Command{Use: "program"}
		cmd.RunE = t.Do(func(ctx context.Context, _ []string) error { return run(ctx, t) })
		return cmd
	}}
}

func TestConfirm(t *testing.T) {
	t.Parallel()
	asks := does(func(_ context.Context, t *terminal.Terminal) error { return t.Confirm("Sure?", "the\x1b name") })
	asks.Interactive = true
	for typed, want := range map[string]int{
		"the\uFFFD name\n": terminal.ExitOK, "  the\uFFFD name": terminal.ExitOK,
		"": terminal.ExitFailure, "y\n": terminal.ExitFailure, "the\uFFFD  name\n": terminal.ExitFailure,
		strings.Repeat("x", 1<<20): terminal.ExitFailure,
	} {
		asks.In = strings.NewReader(typed)
		got := asks.Run(t)
		if got.Code != want || got.Out != "" {
			t.Errorf("%.20q: code %d, want %d", typed, got.Code, want)
		}
		terminaltest.Contains(t, got.Err, "Sure?\nType the\uFFFD name to go ahead: ")
		if want != terminal.ExitOK {
			terminaltest.Contains(t, got.Err, "program: not confirmed, so nothing was done\n")
		}
	}
	asks.Interactive, asks.In = false, strings.NewReader("the\uFFFD name\n")
	asks.Fail(t, terminal.ExitUsage, []string{"standard input is no terminal; --yes goes ahead"})
}

func TestAnswerNo(t *testing.T) {
	t.Parallel()
	no := does(func(context.Context, *terminal.Terminal) error { return terminal.ErrNo }).Run(t)
	if no != (terminaltest.Result{Code: terminal.ExitFailure}) {
		t.Errorf("got %+v", no)
	}
}

// waiting starts a command that waits until the test goes on.
func waiting(t *testing.T, change func(*terminaltest.Runner)) (p *terminaltest.Process, second func(), goOn chan struct{}) {
	t.Helper()
	goOn = make(chan struct{})
	clock := ident.NewManualClock(time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC))
	cli := does(func(_ context.Context, t *terminal.Terminal) error {
		done := t.Wait("waiting for http://a\n")
		_, _ = t.Out.Write([]byte("begun"))
		<-goOn
		done()
		return nil
	})
	cli.ErrShown, cli.Clock, cli.Seconds = true, clock, make(chan time.Time)
	change(&cli)
	p = cli.Start(t, "begun")
	return p, func() {
		clock.Advance(time.Second)
		cli.Seconds <- clock.Now()
	}, goOn
}

func TestWait(t *testing.T) {
	t.Parallel()
	p, second, goOn := waiting(t, func(*terminaltest.Runner) {})
	second()
	p.WaitFor(t, "\rwaiting for http://a\uFFFD 1s")
	second()
	p.WaitFor(t, "\rwaiting for http://a\uFFFD 2s")
	close(goOn)
	<-p.Done
	if want := "\rwaiting for http://a\uFFFD 1s\rwaiting for http://a\uFFFD 2s\r\x1b[K"; p.Err.String() != want {
		t.Errorf("got %q, want %q", p.Err, want)
	}
	if p.Out.String() != "begun" {
		t.Errorf("standard output has %q", p.Out)
	}
}

// Nothing is shown of what takes no second, or to nobody.
func TestWaitUnseen(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*terminaltest.Runner){
		"short":         func(*terminaltest.Runner) {},
		"no terminal":   func(r *terminaltest.Runner) { r.ErrShown = false },
		"dumb terminal": func(r *terminaltest.Runner) { r.Environ = map[string]string{"TERM": "dumb"} },
	} {
		ticks := make(chan time.Time, 1)
		p, _, goOn := waiting(t, func(r *terminaltest.Runner) {
			change(r)
			if name != "short" {
				r.Seconds = ticks
				ticks <- time.Time{}
			}
		})
		close(goOn)
		<-p.Done
		if p.Err.String() != "" || name != "short" && len(ticks) != 1 {
			t.Errorf("%s: %q, %d ticks left", name, p.Err, len(ticks))
		}
	}
}
