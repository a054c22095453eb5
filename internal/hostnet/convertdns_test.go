package hostnet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"kvmnet/internal/api"
)

// fakeResolvers has a list of names for each link.
type fakeResolvers struct {
	mu    sync.Mutex
	names map[int][]string
	fault error
}

func (f *fakeResolvers) Hold(_ context.Context, index int) (json.RawMessage, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fakeHeld(f.names[index])
}

func fakeHeld(names []string) (json.RawMessage, error) {
	return json.Marshal(append([]string{}, names...))
}

func (f *fakeResolvers) Give(_ context.Context, index int, held ...json.RawMessage) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := []string{}
	for _, h := range held {
		var names []string
		if err := json.Unmarshal(h, &names); err != nil {
			return err
		}
		all = append(all, names...)
	}
	slices.Sort(all)
	f.names[index] = slices.Compact(all)
	return f.fault
}

func (f *fakeResolvers) Without(all, other json.RawMessage) (json.RawMessage, error) {
	var a, b []string
	if err := errors.Join(json.Unmarshal(all, &a), json.Unmarshal(other, &b)); err != nil {
		return nil, err
	}
	return fakeHeld(slices.DeleteFunc(a, func(n string) bool { return slices.Contains(b, n) }))
}

// resolvers has the machine ask a fake, with names for links that are there.
func (m *machine) resolvers(names map[string]string) *fakeResolvers {
	m.t.Helper()
	f := &fakeResolvers{names: map[int][]string{}}
	for link, list := range names {
		index, err := indexOf(m.ns, link)
		if err != nil {
			m.t.Fatal(err)
		}
		f.names[index] = strings.Fields(list)
	}
	l := m.kernel.(links)
	l.resolvers = f
	m.kernel = l
	return f
}

// say prints what links have that are there.
func (m *machine) say(f *fakeResolvers) string {
	m.t.Helper()
	names, err := linkNames(m.ns)
	if err != nil {
		m.t.Fatal(err)
	}
	have := map[string]string{}
	for _, n := range names {
		if index, err := indexOf(m.ns, n); err == nil && len(f.names[index]) > 0 {
			have[n] = strings.Join(f.names[index], " ")
		}
	}
	var words []string
	for _, n := range slices.Sorted(maps.Keys(have)) {
		words = append(words, fmt.Sprintf("%s: %s", n, have[n]))
	}
	return strings.Join(words, ", ")
}

func (m *machine) hears(f *fakeResolvers, when, want string) {
	m.t.Helper()
	if got := m.say(f); got != want {
		m.t.Errorf("%s: %q, want %q", when, got, want)
	}
}

func (m *machine) done(c api.Conversion, err error) api.Conversion {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

// The resolvers of a NIC go to its bridge, beside the bridge's own, and each has its own
// again afterwards, however the change ends.
func TestResolversGoAlong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		names                  map[string]string
		before, within, undone string
	}{
		"a new bridge":               {map[string]string{"eth0": "a b"}, "eth0: a b", "br0: a b, eth0: a b", "eth0: a b"},
		"one that is there":          {map[string]string{"eth0": "a b", "br0": "b own"}, "br0: b own, eth0: a b", "br0: a b own, eth0: a b", "br0: b own, eth0: a b"},
		"one that is there, and not": {map[string]string{"br0": "own"}, "br0: own", "br0: own", "br0: own"},
		"nobody has any":             {nil, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, networkd())
			if _, there := c.names["br0"]; there {
				m.ip("link", "add", "br0", "type", "bridge")
				m.ip("link", "set", "br0", "up")
			}
			f := m.resolvers(c.names)
			m.hears(f, "before", c.before)
			convert := func() {
				m.done(m.ConvertBridge(t.Context(), api.ConvertBridge{Interface: "eth0", Bridge: "br0", Volatile: true}))
				m.hears(f, "while it waits", c.within)
			}
			end := func(do func(context.Context, string) (api.HostChange, error)) {
				t.Helper()
				if e, err := do(t.Context(), ""); err != nil || e.Failure != "" {
					t.Fatal(err, e.Failure)
				}
			}
			convert()
			end(m.RollbackChange)
			m.hears(f, "reverted", c.before)
			convert()
			end(m.ConfirmChange)
			m.done(m.UnconvertBridge(t.Context(), api.UnconvertBridge{Bridge: "br0"}))
			m.hears(f, "while the way back waits", c.undone)
			end(m.RollbackChange)
			m.hears(f, "the way back reverted", c.within)
			m.done(m.UnconvertBridge(t.Context(), api.UnconvertBridge{Bridge: "br0"}))
			end(m.ConfirmChange)
			m.hears(f, "taken back", c.undone)
		})
	}
}

// What hinders that is told, and hinders nothing else.
func TestResolversThatStayBehindAreTold(t *testing.T) {
	t.Parallel()
	m := newMachine(t, networkd())
	m.resolvers(map[string]string{"eth0": "a"}).fault = errors.New("the bus is broken")
	c := m.done(m.ConvertBridge(t.Context(), api.ConvertBridge{Interface: "eth0", Bridge: "br0", Volatile: true}))
	if told := strings.Join(c.Warnings, ", "); !strings.Contains(told, "br0 does not get its resolvers: the bus is broken") {
		t.Errorf("told %q", told)
	}
	m.has("192.0.2.7/24", "br0")
}
