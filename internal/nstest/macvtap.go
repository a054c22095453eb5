package nstest

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Macvtaps lets one test of the machine at a time make macvtaps: their devices are
// named by the numbers of their links, which every namespace counts anew, and lie in
// one directory.
func Macvtaps(t testing.TB) {
	t.Helper()
	dir, err := os.Open("/dev")
	if err == nil {
		err = unix.Flock(int(dir.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		t.Fatalf("wait for the macvtaps of others: %v", err)
	}
	t.Cleanup(func() { dir.Close() })
}
