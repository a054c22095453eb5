package lockdir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestOneAtATime(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a", "b")
	first, err := Open(path, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory is %v, %v", info, err)
	}
	if _, err := Open(path, 0o700); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one: %v", err)
	}
	first.Close()
	second, err := Open(path, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}

// A lock that is given up within a second is waited for.
func TestALockOfTheDyingIsWaitedFor(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	first, err := Open(path, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, func() { first.Close() })
	second, err := Open(path, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}
