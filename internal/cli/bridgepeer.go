package cli

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"kvmnet/internal/api"
)

// procDir is where the kernel tells of processes.
var procDir = "/proc"

// sshPeer finds where the SSH session comes from that this command runs in. sudo
// clears the environment; then a parent still has it.
func sshPeer() api.Peer {
	if p, ok := readPeer(os.Getenv("SSH_CONNECTION")); ok {
		return p
	}
	for pid, n := os.Getppid(), 0; pid > 1 && n < 100; pid, n = parent(pid), n+1 {
		text, _ := os.ReadFile(filepath.Join(procDir, strconv.Itoa(pid), "environ")) // of others: only root may
		for word := range bytes.SplitSeq(text, []byte{0}) {
			value, is := strings.CutPrefix(string(word), "SSH_CONNECTION=")
			if p, ok := readPeer(value); is && ok {
				return p
			}
		}
	}
	return api.Peer{}
}

// parent is the fourth field of stat; the second is a name that may have spaces and
// parentheses, see proc_pid_stat(5).
func parent(pid int) int {
	text, _ := os.ReadFile(filepath.Join(procDir, strconv.Itoa(pid), "stat"))
	words := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(words) < 2 {
		return 0
	}
	ppid, _ := strconv.Atoi(words[1])
	return ppid
}

// readPeer reads what sshd sets: the client's address and port, the server's address
// and port.
func readPeer(text string) (api.Peer, bool) {
	w := strings.Fields(text)
	if len(w) != 4 {
		return api.Peer{}, false
	}
	return api.Peer{Client: net.JoinHostPort(w[0], w[1]), Server: net.JoinHostPort(w[2], w[3])}, true
}
