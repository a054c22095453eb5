package cli

import (
	"context"
	"fmt"

	"kvmnet/internal/api"
)

// progress shows on a terminal how far the daemon is, until done is called,
// which leaves nothing of it.
func (a *app) progress(ctx context.Context) (done func()) {
	if a.quiet || !isTerminal(a.Stderr) {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	shown, client := false, a.client()
	go func() {
		defer close(ended)
		// An error is not told: the call this accompanies has it too.
		client.Events(ctx, func(e api.Event) {
			if e.Type == "progress" && e.Total > 0 {
				shown = true
				fmt.Fprintf(a.Stderr, eraseLine+"applying %d/%d", e.Done, e.Total)
			}
		})
	}()
	return func() {
		cancel()
		<-ended
		if shown {
			fmt.Fprint(a.Stderr, eraseLine)
		}
	}
}

// eraseLine goes to the start of the line and clears it.
const eraseLine = "\r\x1b[K"
