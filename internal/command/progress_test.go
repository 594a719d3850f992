package command

import (
	"testing"
	"time"

	"castellan/internal/client"
	"castellan/internal/ident"
	"castellan/internal/terminal"

	systemv1 "castellan/gen/zitadel/system/v1"
)

// A call that takes more than a second is shown to whoever sits at the terminal, until it is done;
// what a program reads of it is the same.
func TestProgress(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	clock, goOn := ident.NewManualClock(now), make(chan struct{})
	f.cli.Clock, f.cli.ErrShown, f.cli.Seconds = clock, true, make(chan time.Time)
	answer(f, systemv1.SystemService_ClearView_FullMethodName, func(*systemv1.ClearViewRequest) (*systemv1.ClearViewResponse, error) {
		clock.Advance(time.Second)
		f.cli.Seconds <- clock.Now()
		<-goOn
		return &systemv1.ClearViewResponse{}, nil
	})
	line := "\rwaiting for " + f.cli.Environ[client.ServerEnv]
	p := f.cli.Start(t, line+" 1s", "view", "clear", "projections.x", "-o", "json")
	if p.Out.String() != "" {
		t.Errorf("standard output has %q", p.Out)
	}
	close(goOn)
	<-p.Done
	if p.Code != terminal.ExitOK || p.Out.String() != "{}\n" || p.Err.String() != line+" 1s\r\x1b[K" {
		t.Errorf("code %d, %q, %q", p.Code, p.Out, p.Err)
	}
}
