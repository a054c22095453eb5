package dns

import (
	"bytes"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Upstreams are the resolvers of the host, as a resolv.conf(5) lists them. The
// file is looked at when they are asked for, once a second at most, and may be
// replaced, linked elsewhere, missing, or empty at any time. The stub of
// systemd-resolved at 127.0.0.53 is a resolver like any other.
type Upstreams struct {
	path    string
	epoch   time.Time
	next    atomic.Int64 // when to look again, nanoseconds since epoch
	version atomic.Uint64

	mu      sync.Mutex
	seen    os.FileInfo
	servers []netip.AddrPort
}

// pause is the time between two looks at the file.
const pause = time.Second

// NewUpstreams follows a file, /etc/resolv.conf on most hosts.
func NewUpstreams(path string) *Upstreams { return &Upstreams{path: path, epoch: time.Now()} }

// Servers are the resolvers now; none when there is no file or none in it.
func (u *Upstreams) Servers() []netip.AddrPort {
	u.look()
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.servers
}

// Version changes whenever Servers do.
func (u *Upstreams) Version() uint64 {
	u.look()
	return u.version.Load()
}

// look reads the file when it is another one than the last time. Who comes while
// somebody looks gets what was known before.
func (u *Upstreams) look() {
	now, next := int64(time.Since(u.epoch)), u.next.Load()
	if u.version.Load() != 0 && now < next || !u.next.CompareAndSwap(next, now+int64(pause)) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	info, err := os.Stat(u.path)
	if err != nil {
		info = nil
	}
	if u.version.Load() != 0 && same(info, u.seen) {
		return
	}
	text, err := os.ReadFile(u.path)
	if err != nil {
		text, info = nil, nil
	}
	u.seen = info
	if list := parseResolvConf(text); u.version.Load() == 0 || !slices.Equal(list, u.servers) {
		u.servers = list
		u.version.Add(1)
	}
}

func same(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// mostResolvers bounds the servers that are tried; the C library stops at three.
const mostResolvers = 8

// parseResolvConf reads the nameserver lines. What cannot be read is passed over,
// as the C library does.
func parseResolvConf(text []byte) (list []netip.AddrPort) {
	for line := range bytes.Lines(text) {
		words := strings.Fields(string(line))
		if len(words) < 2 || words[0] != "nameserver" {
			continue
		}
		a, err := netip.ParseAddr(words[1])
		if err != nil || len(list) == mostResolvers {
			continue
		}
		if s := netip.AddrPortFrom(a.Unmap(), 53); !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}
