package peers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// hooks is a directory in which a client's hook script leaves a file an event:
// the script's environment, under the name TIME.EVENT.
type hooks struct{ dir string }

// event is one call of the hook script.
type event struct {
	name string // as the client calls it
	env  map[string]string
}

// hookScript is what clients call. Each passes the event's name as its first
// argument or in $reason. The file appears after act has been done.
func (h hooks) write(act string) (path string, err error) {
	path = filepath.Join(h.dir, "script")
	text := fmt.Sprintf(`#!/bin/sh
event=${reason:-$1}
new='%[1]s'/.new.$$
env >"$new"
%[2]s
mv "$new" '%[1]s'/events/$(date +%%s%%N)."$event"
exit 0
`, h.dir, act)
	if err := os.MkdirAll(filepath.Join(h.dir, "events"), 0o755); err != nil {
		return "", err
	}
	return path, os.WriteFile(path, []byte(text), 0o755)
}

// seen lists the events so far, oldest first.
func (h hooks) seen() (names []string) {
	files, _ := os.ReadDir(filepath.Join(h.dir, "events"))
	for _, f := range files {
		names = append(names, f.Name())
	}
	slices.Sort(names)
	return names
}

// after waits for one of the events after the first n ones, and returns the
// latest of them.
func (h hooks) after(ctx context.Context, n int, events ...string) (event, error) {
	for {
		for _, file := range slices.Backward(h.seen()[n:]) {
			if _, name, _ := strings.Cut(file, "."); slices.Contains(events, name) {
				return h.read(file, name)
			}
		}
		select {
		case <-ctx.Done():
			return event{}, fmt.Errorf("wait for the client's %s: %w; its events were %v", strings.Join(events, " or "), ctx.Err(), h.seen())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (h hooks) read(file, name string) (event, error) {
	text, err := os.ReadFile(filepath.Join(h.dir, "events", file))
	if err != nil {
		return event{}, err
	}
	e := event{name, map[string]string{}}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		e.env[key] = value
	}
	return e, nil
}
