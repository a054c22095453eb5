package dhcpclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The files are called after the client: r1@uplink.json. A router's name has no @.
const (
	ending     = ".json"
	unfinished = "new-" // of a write that did not come to its end
)

func (c *Clients) path(key string) string {
	return filepath.Join(c.o.Dir, strings.Replace(key, "/", "@", 1)+ending)
}

// load reads the leases that are on disk. A file that says nothing of use is as
// good as none.
func (c *Clients) load() (map[string]*Lease, error) {
	if err := os.MkdirAll(c.o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the leases of DHCP clients: %w", err)
	}
	entries, err := os.ReadDir(c.o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open the leases of DHCP clients: %w", err)
	}
	leases := map[string]*Lease{}
	for _, e := range entries {
		name, isLease := strings.CutSuffix(e.Name(), ending)
		if !isLease {
			if strings.HasPrefix(e.Name(), unfinished) {
				os.Remove(filepath.Join(c.o.Dir, e.Name()))
			}
			continue
		}
		key := strings.Replace(name, "@", "/", 1)
		l, err := read(c.path(key))
		if err != nil {
			c.o.Log.Warn("read the lease ", "client", key, "error", err)
			continue
		}
		leases[key] = l
	}
	return leases, nil
}

func read(path string) (*Lease, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parse(b)
}

// parse reads what write wrote.
func parse(b []byte) (*Lease, error) {
	l := &Lease{}
	if err := json.Unmarshal(b, l); err != nil {
		return nil, err
	}
	if !l.sound() {
		return nil, errors.New("it is no lease")
	}
	return l, nil
}

// write puts a lease on disk, nil = takes it away. It is there as a whole or not at
// all, whatever happens meanwhile.
func (c *Clients) write(key string, l *Lease) error {
	path := c.path(key)
	if l == nil {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(c.o.Dir, unfinished+"*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
