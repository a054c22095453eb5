package nstest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Macvtaps lets one test of the machine at a time make macvtaps: their devices are
// named by the numbers of their links, which every namespace counts anew, and lie in
// one directory. The kernel takes a namespace that was left apart later, with those in
// it: until then their names are taken, and then it takes away whatever has them.
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
	for end := time.Now().Add(forMacvtaps); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if left, _ := filepath.Glob("/dev/tap[0-9]*"); len(left) == 0 {
			return
		}
	}
}

// forMacvtaps is how long those of others are waited for; the host may have some of its
// own.
const forMacvtaps = 3 * time.Second
