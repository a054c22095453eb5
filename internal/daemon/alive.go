package daemon

import (
	"context"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
)

// alive tells a service manager that wants to hear it (WatchdogSec=) that the loop
// turns, until ctx ends. A process whose loop hangs says nothing and is replaced.
func (d *daemon) alive(ctx context.Context) {
	within, err := sd.SdWatchdogEnabled(false)
	if err != nil || within == 0 {
		return
	}
	turns := func(ctx context.Context) error { _, err := d.engine.Snapshot(ctx); return err }
	pulse(ctx, within/3, turns, func() { sd.SdNotify(false, sd.SdNotifyWatchdog) })
}

// pulse tells again and again, each time after ask has answered.
func pulse(ctx context.Context, every time.Duration, ask func(context.Context) error, tell func()) {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	for {
		if ask(ctx) == nil {
			tell()
		}
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
	}
}
