package terminal

import (
	"fmt"
	"time"
)

// Wait shows, from one second on, what is being waited for and for how long, in a line that
// disappears when done is called. Nothing is shown unless people see it at once: a file or a
// program that reads standard error gets errors only. Standard output may be a pipe all the same.
func (t *Terminal) Wait(what string) (done func()) {
	if !t.ErrShown || t.Environ["TERM"] == "dumb" { // one that cannot take a line away again
		return func() {}
	}
	begun := t.Clock.Now()
	seconds, stop := t.Seconds()
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		shown := false
		for {
			select {
			case <-seconds:
				// Should it wrap, only the last line of it would be taken away again.
				fmt.Fprintf(t.Err, "\r%.60s %s", Printable(what), t.Clock.Now().Sub(begun).Truncate(time.Second))
				shown = true
			case <-end:
				if shown {
					fmt.Fprint(t.Err, "\r\x1b[K") // to the start of the line, and clear it
				}
				return
			}
		}
	}()
	return func() {
		stop()
		close(end)
		<-ended
	}
}

// systemSeconds tells of the seconds of the machine.
func systemSeconds() (<-chan time.Time, func()) {
	ticker := time.NewTicker(time.Second)
	return ticker.C, ticker.Stop
}
