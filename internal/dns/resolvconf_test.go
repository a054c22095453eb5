package dns

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func TestResolvConf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                          "[]",
		"nameserver 192.0.2.1\n":    "[192.0.2.1:53]",
		"nameserver 127.0.0.53":     "[127.0.0.53:53]",
		"nameserver\t::1 \r\n":      "[[::1]:53]",
		"nameserver fe80::1%eth0":   "[[fe80::1%eth0]:53]",
		"nameserver ::ffff:1.2.3.4": "[1.2.3.4:53]",
		"# nameserver 1.1.1.1\n;nameserver 1.1.1.1\nnameservers 1.1.1.1\nsearch a b\noptions edns0\n":                                                                                        "[]",
		"nameserver\nnameserver x\nnameserver 1.1.1.1 # x\nnameserver 1.1.1.1\nnameserver 8.8.8.8":                                                                                           "[1.1.1.1:53 8.8.8.8:53]",
		"nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4\nnameserver 1.1.1.5\nnameserver 1.1.1.6\nnameserver 1.1.1.7\nnameserver 1.1.1.8\nnameserver 1.1.1.9": "[1.1.1.1:53 1.1.1.2:53 1.1.1.3:53 1.1.1.4:53 1.1.1.5:53 1.1.1.6:53 1.1.1.7:53 1.1.1.8:53]",
	} {
		if got := fmt.Sprint(parseResolvConf([]byte(text))); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func FuzzResolvConf(f *testing.F) {
	for _, s := range []string{"nameserver 1.1.1.1\nsearch a\n", "nameserver fe80::1%eth0\r\noptions edns0", "\x00nameserver ::1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		list := parseResolvConf(b)
		if len(list) > mostResolvers {
			t.Errorf("%d servers", len(list))
		}
		for _, s := range list {
			if !s.IsValid() || s.Port() != 53 || s.Addr().Is4In6() {
				t.Errorf("server %s", s)
			}
		}
	})
}

func TestResolversOfTheHostAreFollowed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "resolv.conf")
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		must(t, os.WriteFile(file, []byte(text), 0o644))
		return file
	}
	synctest.Test(t, func(t *testing.T) {
		u := NewUpstreams(path)
		version := u.Version()
		expect := func(what, want string, changed bool) {
			t.Helper()
			time.Sleep(pause)
			if got := fmt.Sprint(u.Servers()); got != want {
				t.Errorf("%s: %s, want %s", what, got, want)
			}
			if v := u.Version(); v != version != changed {
				t.Errorf("%s: version %d after %d", what, v, version)
			}
			version = u.Version()
		}
		expect("missing", "[]", false)
		must(t, os.Symlink(write("a", "nameserver 1.1.1.1\n"), path))
		if got := fmt.Sprint(u.Servers()); got != "[]" {
			t.Errorf("looked again within a second: %s", got)
		}
		expect("a link", "[1.1.1.1:53]", true)
		expect("nothing new", "[1.1.1.1:53]", false)
		must(t, os.Rename(write("b", "nameserver 2.2.2.2\n"), path))
		expect("replaced", "[2.2.2.2:53]", true)
		write("resolv.conf", "nameserver 3.3.3.3\noptions edns0\n")
		expect("written in place", "[3.3.3.3:53]", true)
		must(t, os.Rename(write("c", "# other\nnameserver 3.3.3.3\n"), path))
		expect("the same servers", "[3.3.3.3:53]", false)
		must(t, os.Remove(path))
		expect("removed", "[]", true)
	})
}
