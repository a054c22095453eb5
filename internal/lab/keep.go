package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/spec"
)

// namePrefix begins the names of all namespaces of a lab that stays.
const namePrefix = "kvmnet-demo-"

// keepDir holds the daemon and the record of a lab that stays. There is one at a
// time.
var keepDir = "/run/kvmnet-demo"

// record tells a later kvmnet what stays.
type record struct {
	PID        int      `json:"pid"`
	Start      uint64   `json:"start"` // of the process, in clock ticks since boot
	Exe        string   `json:"exe"`
	Namespaces []string `json:"namespaces"`
}

func recordPath() string { return filepath.Join(keepDir, "state.json") }

func makeKeepDir() (string, error) {
	if os.Geteuid() != 0 || inPrivate() {
		return "", errors.New("keeping the lab needs root: its namespaces get names below " + netns.Dir)
	}
	err := os.Mkdir(keepDir, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("a lab is there already, in %s; remove it with: kvmnet demo --remove", keepDir)
	}
	if err != nil {
		return "", fmt.Errorf("make the directory of the lab: %w", err)
	}
	return keepDir, nil
}

// leave ends our part and tells how to look around.
func (d *demo) leave() error {
	r := record{PID: d.daemon.cmd.Process.Pid, Exe: d.Exe}
	for _, h := range d.world.hosts {
		r.Namespaces = append(r.Namespaces, h.Name())
	}
	var err error
	if r.Start, err = startOf(r.PID); err == nil {
		err = r.write()
	}
	if err != nil {
		return errors.Join(err, d.daemon.stop(), d.world.close(), removeDir(d.dir))
	}
	d.say("\nThe lab stays. Look around in it:")
	d.say("  ip netns exec %smachine %s --socket %s net list", namePrefix, d.Exe, d.daemon.socket)
	for _, n := range d.networks {
		if n.stance() != spec.StanceIsolated {
			d.say("  ip netns exec %s ping %s", n.guests[0].host.Name(), farAddr.addr(v4))
			break
		}
	}
	for _, r := range slices.Sorted(maps.Keys(d.spec.Routers)) {
		d.say("  nsenter --net=%s ip address", filepath.Join(netnsIn(d.dir), r))
	}
	d.say("Remove it with:\n  %s demo --remove", d.Exe)
	return d.world.leave()
}

func (r record) write() error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		err = os.WriteFile(recordPath(), append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("write the record of the lab: %w", err)
	}
	return nil
}

// Remove takes down a lab that stayed: its daemon, its namespaces and its
// directory. Without one it says so, and that is no error.
func Remove(out io.Writer) error {
	text, err := os.ReadFile(recordPath())
	if errors.Is(err, fs.ErrNotExist) {
		text, err = []byte("{}"), nil // a demo that was killed may have left the rest
	}
	var r record
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return fmt.Errorf("read the record of the lab: %w", err)
	}
	if err := r.end(); err != nil {
		return err
	}
	paths, err := filepath.Glob(filepath.Join(netns.Dir, namePrefix+"*"))
	errs := []error{err}
	for _, p := range paths {
		errs = append(errs, netns.Delete(filepath.Base(p)))
	}
	_, gone := os.Stat(keepDir)
	errs = append(errs, removeDir(keepDir))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove the lab: %w", err)
	}
	if gone != nil && len(paths) == 0 {
		fmt.Fprintln(out, "There is no lab to remove.")
		return nil
	}
	fmt.Fprintf(out, "Removed the lab: its daemon, %d namespaces and %s.\n", len(paths), keepDir)
	return nil
}

// end ends the recorded daemon, if the process of that number is still it.
func (r record) end() error {
	if r.PID == 0 {
		return nil
	}
	fd, err := unix.PidfdOpen(r.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stop daemon %d: %w", r.PID, err)
	}
	defer unix.Close(fd)
	// Looked at after the descriptor was opened: from here on it cannot become
	// another process.
	if !r.isIt() {
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("stop daemon %d: %w", r.PID, err)
	}
	deadline := time.Now().Add(stopTimeout)
	for time.Now().Before(deadline) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(time.Until(deadline).Milliseconds()))
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for daemon %d: %w", r.PID, err)
		}
	}
	return fmt.Errorf("stop daemon %d: it did not end within %s", r.PID, stopTimeout)
}

// isIt compares the process with the record: numbers are used again.
func (r record) isIt() bool {
	start, err := startOf(r.PID)
	if err != nil || start != r.Start {
		return false
	}
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", r.PID))
	return err == nil && strings.TrimSuffix(exe, " (deleted)") == r.Exe
}

// startOf is when a process began, field 22 of proc_pid_stat(5).
func startOf(pid int) (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("look at process %d: %w", pid, err)
	}
	// The name in parentheses may hold spaces and parentheses.
	_, rest, _ := cutLast(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return 0, fmt.Errorf("look at process %d: its stat is too short", pid)
	}
	return strconv.ParseUint(fields[19], 10, 64)
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
