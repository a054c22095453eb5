package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"kvmnet/internal/api"
)

var netEvent = &verb{name: "net-event", help: "Network Events", about: "List event types, or wait for network events to occur",
	example: `  kvmnet net-event --list
  kvmnet net-event --event lifecycle --loop --timestamp
  kvmnet net-event lab --event lifecycle --timeout 60`,
	params: []param{
		{name: networkParam.name, help: "filter by network name or uuid", kind: aWord},
		{name: "event", help: "which event type to wait for", kind: aWord},
		{name: "loop", help: "loop until timeout or interrupt, rather than one-shot"},
		{name: "timeout", help: "timeout seconds", kind: aNumber},
		{name: "list", help: "list valid event types"},
		{name: "timestamp", help: "show timestamp for each printed event"},
	},
	run: (*call).events}

// Kinds of events, as libvirt calls them.
const (
	lifecycle      = "lifecycle"
	metadataChange = "metadata-change"
)

func (c *call) events() error {
	if c.has("list") {
		fmt.Fprintf(c.Stdout, "%s\n%s\n", lifecycle, metadataChange)
		return nil
	}
	kind, err := c.value("event")
	switch {
	case err != nil:
		return err
	case !c.has("event"):
		return virshError{"either --list or --event <type> is required"}
	case kind != lifecycle && kind != metadataChange:
		return virshError{"unknown event type " + kind}
	}
	seconds, err := c.number("timeout", 0)
	if err == nil && c.has("timeout") && seconds < 1 {
		err = malformed("timeout", c.given["timeout"])
	}
	if err != nil {
		return err
	}
	var n api.Network
	if c.has("network") {
		if n, err = c.network(); err != nil {
			return err
		}
	}
	return c.wait(kind, n.Name, time.Duration(seconds)*time.Second)
}

// wait prints events until the first, or, with --loop, until the user or the time
// ends it. No event at all is a failure.
func (c *call) wait(kind, network string, limit time.Duration) error {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	timer := make(<-chan time.Time)
	if limit > 0 {
		timer = time.After(limit)
	}
	seen, ended := make(chan string), make(chan error, 1)
	go func() {
		ended <- c.client().Events(ctx, func(e api.Event) {
			select {
			case seen <- c.eventLine(e, kind, network):
			case <-ctx.Done():
			}
		})
	}()
	received := 0
	for {
		select {
		case line := <-seen:
			if line == "" {
				continue
			}
			fmt.Fprintln(c.Stdout, line)
			if received++; c.has("loop") {
				continue
			}
			cancel()
		case <-timer:
			fmt.Fprintln(c.Stdout, "event loop timed out")
			cancel()
		case <-c.ctx.Done():
			fmt.Fprintln(c.Stdout, "event loop interrupted")
		case err := <-ended:
			if err != nil {
				return virshError{err.Error()}
			}
		}
		fmt.Fprintf(c.Stdout, "events received: %d\n", received)
		if received == 0 {
			return errSaid
		}
		return nil
	}
}

// eventLine is an event as virsh prints it; "" when it is not one that is asked for.
func (c *call) eventLine(e api.Event, kind, network string) string {
	name, ok := strings.CutPrefix(e.Object, "network/")
	what := e.Life
	if kind == metadataChange {
		what = metadataChanged(e)
	}
	if !ok || what == "" || network != "" && name != network {
		return ""
	}
	stamp := ""
	if c.has("timestamp") {
		stamp = e.Time.UTC().Format("2006-01-02 15:04:05.000-0700: ")
	}
	return fmt.Sprintf("%sevent '%s' for network %s: %s", stamp, kind, name, what)
}

// metadataChanged tells which of a network's words were changed.
func metadataChanged(e api.Event) string {
	if e.Type != metadataChange {
		return ""
	}
	what, uri, ok := strings.Cut(e.Message, " ")
	if !ok {
		uri = "<null>"
	}
	return fmt.Sprintf("type %s, uri %s", what, uri)
}
