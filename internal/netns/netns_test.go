package netns

import (
	"errors"
	"net"
	"os"
	"sync"
	"testing"
)

// need skips, by name, where the kernel or the user cannot make namespaces.
func need(t *testing.T) *NS {
	t.Helper()
	ns, err := New()
	if err != nil {
		t.Skipf("needs root or a user namespace: %v", err)
	}
	t.Cleanup(func() { ns.Close() })
	return ns
}

func here(t *testing.T) uint64 {
	t.Helper()
	ns, err := Current()
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	id, err := ns.ID()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestNSDoRunsInsideAndComesBack(t *testing.T) {
	ns := need(t)
	want, _ := ns.ID()
	outside := here(t)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			var inside uint64
			if err := ns.Do(func() error { inside = here(t); return nil }); err != nil {
				t.Error(err)
			}
			if inside != want {
				t.Errorf("ran in namespace %d, want %d", inside, want)
			}
			if now := here(t); now != outside {
				t.Errorf("came back to namespace %d, want %d", now, outside)
			}
		})
	}
	wg.Wait()
}

func TestNSThatIsClosedIsNotEntered(t *testing.T) {
	ns := need(t)
	ns.Close()
	if err := ns.Do(func() error { t.Error("entered"); return nil }); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if _, err := ns.ID(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestNSNewHasOnlyLoopback(t *testing.T) {
	ns := need(t)
	err := ns.Do(func() error {
		links, err := net.Interfaces()
		for _, l := range links {
			if l.Flags&net.FlagLoopback == 0 && l.Flags&net.FlagUp != 0 {
				t.Errorf("found %s up in a new namespace", l.Name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNSDoReturnsTheFunctionsError(t *testing.T) {
	ns := need(t)
	if err := ns.Do(func() error { return os.ErrClosed }); err != os.ErrClosed {
		t.Errorf("got %v, want %v", err, os.ErrClosed)
	}
}

func TestOpenNamesTheMissingPath(t *testing.T) {
	if _, err := Open("/proc/none"); err == nil {
		t.Fatal("opened a namespace that is not there")
	}
}
