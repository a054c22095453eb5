package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCalledByNameOrLink(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][3]string{
		"kvmnet net list": {},
		"kvmnet":          {},
		"/usr/local/libexec/kvmnet/qemu-ifup vnet0": {"qemu-ifup", "", "vnet0"},
		"/etc/kvmnet/qemu-ifup.d/lab vnet0":         {"qemu-ifup", "lab", "vnet0"},
		"/etc/kvmnet/qemu-ifdown.d/lab vnet0":       {"qemu-ifdown", "lab", "vnet0"},
		"kvmnet qemu-ifdown vnet0":                  {"qemu-ifdown", "", "vnet0"},
		"kvmnet qemu-bridge-helper --br=a --fd=3":   {"qemu-bridge-helper", "", "--br=a --fd=3"},
		"/x/kvmnet-bridge-helper --br=a":            {"qemu-bridge-helper", "", "--br=a"},
		"/x/qemu-bridge-helper --br=a":              {"qemu-bridge-helper", "", "--br=a"},
	} {
		name, linked, rest := called(strings.Fields(line))
		if got := [3]string{name, linked, strings.Join(rest, " ")}; got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
	if _, done := Direct(t.Context(), []string{"kvmnet", "qemu-ifup", "--help"}, Options{}); done {
		t.Error("--help is not left to the tree of commands")
	}
}

func TestScriptsOfQEMUTakeTheSocket(t *testing.T) {
	f, socket := guestsDaemon(t)
	t.Setenv("KVMNET_SOCKET", "/nobody/listens/here")
	t.Setenv("KVMNET_NETWORK", "lab")
	for i, options := range []string{"--socket " + socket, "--socket=" + socket} {
		iface := fmt.Sprintf("vnet%d", i)
		if code, stderr := direct(t, strings.Fields("kvmnet "+options+" qemu-ifup "+iface)...); code != 0 {
			t.Errorf("%s: %d %q", options, code, stderr)
		}
		if err := f.saw("plug " + iface + " into lab"); err != nil {
			t.Errorf("%s: %v", options, err)
		}
	}
	for _, line := range []string{"kvmnet --socket", "kvmnet --socket x", "kvmnet --socket=x net list", "kvmnet --verbose qemu-ifup x"} {
		if _, done := Direct(t.Context(), strings.Fields(line), Options{}); done {
			t.Errorf("%s is not left to the tree of commands", line)
		}
	}
}

// direct runs a command line in this process.
func direct(t *testing.T, args ...string) (code int, stderr string) {
	t.Helper()
	var errs bytes.Buffer
	code, done := Direct(t.Context(), args, Options{Stderr: &errs})
	if !done {
		t.Fatalf("%v is not direct", args)
	}
	return code, errs.String()
}

func TestScriptsOfQEMU(t *testing.T) {
	f, socket := guestsDaemon(t)
	t.Setenv("KVMNET_SOCKET", socket)
	for _, test := range []struct {
		env, line string
		code      int
		seen      string
		stderr    string
	}{
		{"", "/etc/kvmnet/qemu-ifup.d/lab vnet0", 0, "plug vnet0 into lab", ""},
		{"dmz", "/etc/kvmnet/qemu-ifup.d/lab vnet1", 0, "plug vnet1 into dmz", ""},
		{"dmz", "kvmnet qemu-ifup vnet2", 0, "plug vnet2 into dmz", ""},
		{"", "qemu-ifup vnet3", 1, "plug vnet3 into ", "qemu-ifup: interface vnet3 is of no port; there are dmz, lab, lazy, red\n"},
		{"nix", "qemu-ifup vnet4", 1, "", "qemu-ifup: no network named nix\n"},
		{"", "qemu-ifup", 1, "", "qemu-ifup: it takes the name of one interface: qemu-ifup INTERFACE\n"},
		{"", "qemu-ifdown vnet0", 0, "unplug vnet0", ""},
		{"", "/etc/kvmnet/qemu-ifdown.d/lab lo", 1, "unplug lo", "qemu-ifdown: lo is stuck\n"},
	} {
		t.Setenv("KVMNET_NETWORK", test.env)
		code, stderr := direct(t, strings.Fields(test.line)...)
		if code != test.code || stderr != test.stderr {
			t.Errorf("%s: got %d %q, want %d %q", test.line, code, stderr, test.code, test.stderr)
		}
		if err := f.saw(test.seen); err != nil && test.seen != "" {
			t.Errorf("%s: %v", test.line, err)
		}
	}
}

func TestScriptsOfQEMUWithoutADaemon(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	t.Setenv("KVMNET_SOCKET", socket)
	code, stderr := direct(t, "qemu-ifup", "lo")
	want := "qemu-ifup: connect to the daemon at " + socket + ": no such file or directory; start it with 'kvmnet daemon' (as root) or name another with --socket\n"
	if code != 1 || stderr != want {
		t.Errorf("got %d %s", code, stderr)
	}
	// The interface is gone, and the port with it.
	if code, stderr := direct(t, "qemu-ifdown", "gone0"); code != 0 || stderr != "" {
		t.Errorf("got %d %s", code, stderr)
	}
}

func TestBridgeHelperSendsATap(t *testing.T) {
	f, socket := guestsDaemon(t)
	t.Setenv("KVMNET_SOCKET", socket)
	for _, test := range []struct{ args, seen string }{
		{"--use-vnet --fd=%d --br=lab0", "Bridge:lab0 Name: Guest: MAC: AnyMAC:true Addresses:[] Queues:0 Plain:false"},
		{"--br lab0 --fd %d", "Bridge:lab0 Name: Guest: MAC: AnyMAC:true Addresses:[] Queues:0 Plain:true"},
		{"--br=lab --fd=%d", "Network:lab Bridge: Name:"},
	} {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		args := strings.Fields("/usr/lib/qemu/qemu-bridge-helper " + fmt.Sprintf(test.args, pair[1]))
		if code, stderr := direct(t, args...); code != 0 || stderr != "" {
			t.Fatalf("%s: %d %s", test.args, code, stderr)
		}
		unix.Close(pair[1])
		var packet [2]byte
		beside := make([]byte, 64)
		n, m, _, _, err := unix.Recvmsg(pair[0], packet[:], beside, unix.MSG_CMSG_CLOEXEC)
		messages, _ := unix.ParseSocketControlMessage(beside[:m])
		if err != nil || n != 1 || packet[0] != 0 || len(messages) != 1 {
			t.Fatalf("%s: QEMU got %d bytes %v, %d messages, %v", test.args, n, packet, len(messages), err)
		}
		fds, err := unix.ParseUnixRights(&messages[0])
		if err != nil || len(fds) != 1 {
			t.Fatalf("%s: QEMU got the descriptors %v, %v", test.args, fds, err)
		}
		if to, _ := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fds[0])); !strings.HasPrefix(to, "pipe:") {
			t.Errorf("%s: QEMU got %s", test.args, to)
		}
		unix.Close(fds[0])
		unix.Close(pair[0])
		if err := f.saw(test.seen); err != nil {
			t.Error(err)
		}
	}
}

func TestBridgeHelperTellsWhatToDo(t *testing.T) {
	_, socket := guestsDaemon(t)
	t.Setenv("KVMNET_SOCKET", socket)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	for args, want := range map[string]string{
		"--br=lab0":                     "missing --fd=N: the number of the socket that QEMU waits at",
		"--fd=3":                        "missing --br=BRIDGE",
		"--br=lab0 --fd=0":              "--fd=0 is not a unix socket: this command is for QEMU to run, by -nic bridge,br=lab0,helper=FILE",
		"--br=lab0 --fd=x":              "missing --fd=N: the number of the socket that QEMU waits at",
		"--br=lab0 --fd=%d --vnet":      `unknown argument "--vnet"; there are --br=BRIDGE, --fd=N and --use-vnet`,
		"--br=nix0 --fd=%d":             "bridge nix0 is not of a network",
		"--br=red --fd=%d":              fmt.Sprintf("network red, access line 1: user %d may have 5 ports at a time, and has 5", os.Getuid()),
		"--br=red --fd=%d --use-vnet=1": `unknown argument "--use-vnet=1"; there are --br=BRIDGE, --fd=N and --use-vnet`,
	} {
		if strings.Contains(args, "%") {
			args = fmt.Sprintf(args, pair[1])
		}
		code, stderr := direct(t, append([]string{"qemu-bridge-helper"}, strings.Fields(args)...)...)
		if code != 1 || stderr != "qemu-bridge-helper: "+want+"\n" {
			t.Errorf("%s: got %d %s", args, code, stderr)
		}
	}
}

func TestNICsAreRead(t *testing.T) {
	t.Parallel()
	n, err := readNIC("lab,mac=52:54:00:00:00:01,ip=10.0.0.2,fd00::2,guard=mac,address,queues=4,name=vm1-0,by=fd")
	if err != nil {
		t.Fatal(err)
	}
	r := n.request
	if r.Network != "lab" || r.MAC.String() != "52:54:00:00:00:01" || fmt.Sprint(r.Addresses) != "[10.0.0.2 fd00::2]" || r.Guard != "mac,address" || r.Queues != 4 || r.Name != "vm1-0" || n.by != byFD {
		t.Errorf("got %+v", n)
	}
	for text, want := range map[string]string{
		"":                "it begins with the name of a network",
		"mac=1":           "it begins with the name of a network",
		"lab,mac=1":       `"1"`,
		"lab,ip=x":        `"x" is not an IP address`,
		"lab,queues=0":    "queues=0 is not a number from 1 to 256",
		"lab,queues=257":  "queues=257 is not a number from 1 to 256",
		"lab,by=magic":    "by=magic is neither by=name nor by=fd",
		"lab,guard=magic": `"magic" is not a guard`,
		"lab,magic":       `"magic" is none of name, mac, ip`,
		"lab,magic=1":     `"magic" is none of name, mac, ip`,
	} {
		if _, err := readNIC(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestQuoteIsWhatAShellReads(t *testing.T) {
	t.Parallel()
	words := []string{"", "plain", "a b", "it's", "fd=[3,4]", "$HOME", "{tap}", "a;b", `\`}
	got, err := shellWords(words)
	if err != nil || !reflect.DeepEqual(got, words) {
		t.Errorf("got %q, %v", got, err)
	}
}
