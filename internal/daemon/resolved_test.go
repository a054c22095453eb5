package daemon_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/nstest"
	"kvmnet/internal/resolved/resolvedtest"
)

// TestResolvectlShowsTheDomainOfANetwork, while it runs and after systemd-resolved
// came back, and the host finds guests by it.
func TestResolvectlShowsTheDomainOfANetwork(t *testing.T) {
	t.Parallel()
	l := nstest.NewLab(t)
	m := newMachine(t, l.Machine.NS())
	r := resolvedtest.Start(t, l.Machine)
	m.Env = []string{"DBUS_SYSTEM_BUS_ADDRESS=" + r.Address}
	m.Start(0)
	m.Apply(strings.Replace(nat9, "localOnly: true", "localOnly: true, hosts: {fixed: 10.9.0.5}", 1))
	w := &world{m, l, t}
	w.strict("guest", "lab0")
	shown := func(want bool) {
		t.Helper()
		nstest.Eventually(t, 40*time.Second, func() error {
			text, err := r.Resolvectl(t, "status", "lab0")
			if has := strings.Contains(text, "lab.internal") && strings.Contains(text, "10.9.0.1"); has != want || want && err != nil {
				return errors.Join(fmt.Errorf("shown: want %v:\n%s\n%s", want, text, m.Log), err)
			}
			return nil
		})
	}
	shown(true)
	found := func() {
		t.Helper()
		nstest.Eventually(t, 20*time.Second, func() error { // resolved asks a link that has a carrier
			text, err := r.Resolvectl(t, "query", "--legend=no", "fixed.lab.internal")
			if err != nil || !strings.Contains(text, "10.9.0.5") {
				return fmt.Errorf("%v: %s", err, text)
			}
			return nil
		})
	}
	found()
	r.Kill(t)
	r.Forget(t)
	r.StartAgain(t)
	shown(true)
	found()
	m.Stop()
	m.Start(0)
	shown(true)
	m.Apply(strings.Replace(nat9, "localOnly: true", "localOnly: true, register: false", 1))
	shown(false)
}
