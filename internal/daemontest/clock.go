package daemontest

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// Clock is how long do takes.
func Clock(do func()) time.Duration {
	begin := time.Now()
	do()
	return time.Since(begin)
}

// Median sorts durations and returns the one in the middle.
func Median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// MS is a duration in milliseconds.
func MS(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Resident is the daemon's resident memory in MB.
func (m *Machine) Resident() float64 {
	m.T.Helper()
	return Megabytes(m.T, fmt.Sprintf("/proc/%d/status", m.Cmd.Process.Pid), "VmRSS:")
}

// Megabytes reads a number of kB from a file of /proc, in MB.
func Megabytes(t testing.TB, file, name string) (kb float64) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			fmt.Sscan(rest, &kb)
		}
	}
	return kb / 1024
}
