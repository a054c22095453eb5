package qemuguest

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// readBusybox finds a busybox that runs without libraries.
func readBusybox() ([]byte, error) {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return nil, missing("busybox", "busybox-static")
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return nil, missing("static busybox", "busybox-static")
		}
	}
	return content, nil
}

// applets are the busybox commands that the guest's scripts and people's
// commands use, as links.
const applets = `awk base64 basename cat chmod cp cut date dd dmesg echo env false grep
head hostname httpd id ifconfig insmod ip kill ln ls lsmod mkdir mknod mount mv nc netstat
nslookup ping ping6 poweroff printf ps rm route sed seq setsid sh sleep sort stty sysctl tail
tee telnet test tftp time timeout top touch tr traceroute traceroute6 true udhcpc uname
uptime usleep vi wc wget xargs arp arping`

// buildInitramfs makes the guest's root: busybox, the drivers, and init. It is
// not compressed: an emulated processor takes longer to unpack it than QEMU to
// load it.
func buildInitramfs(k kernel, busybox []byte) ([]byte, error) {
	var a archive
	for _, dir := range []string{"bin", "dev", "etc", "modules", "proc", "sys", "tmp", "www"} {
		a.add(dir, modeDir|0o755, nil)
	}
	a.device("dev/console", 5, 1) // the kernel opens it for init
	a.add("bin/busybox", modeFile|0o755, busybox)
	for _, applet := range strings.Fields(applets) {
		a.add("bin/"+applet, modeLink|0o777, []byte("busybox"))
	}
	a.add("init", modeFile|0o755, initScript)
	a.add("agent.sh", modeFile|0o755, agentScript)
	a.add("etc/udhcpc.sh", modeFile|0o755, udhcpcScript)
	paths, err := k.modulePaths()
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		module, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		a.add("modules/"+filepath.Base(path), modeFile|0o644, module)
	}
	return a.close(), nil
}

// File types of cpio, as in stat(2).
const (
	modeDir  = 0o040000
	modeFile = 0o100000
	modeLink = 0o120000
	modeChar = 0o020000
)

// archive is a cpio archive in the "newc" form that the kernel unpacks
// (Documentation/driver-api/early-userspace/buffer-format.rst).
type archive struct {
	buf  bytes.Buffer
	file int
}

func (a *archive) add(name string, mode int, content []byte) { a.entry(name, mode, 0, 0, content) }

func (a *archive) device(name string, major, minor int) {
	a.entry(name, modeChar|0o600, major, minor, nil)
}

func (a *archive) entry(name string, mode, major, minor int, content []byte) {
	a.file++
	// magic, inode, mode, uid, gid, links, mtime, size, device, special device,
	// length of the name with its NUL, check
	fmt.Fprintf(&a.buf, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		a.file, mode, 0, 0, 1, 0, len(content), 0, 0, major, minor, len(name)+1, 0)
	a.buf.WriteString(name + "\x00")
	a.pad()
	a.buf.Write(content)
	a.pad()
}

func (a *archive) pad() {
	for a.buf.Len()%4 != 0 {
		a.buf.WriteByte(0)
	}
}

func (a *archive) close() []byte {
	a.entry("TRAILER!!!", 0, 0, 0, nil)
	return a.buf.Bytes()
}
