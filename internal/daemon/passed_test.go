package daemon

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pass makes a socket as a service manager does, and returns its descriptor.
func pass(t *testing.T, kind, name string) *os.File {
	t.Helper()
	l, err := net.Listen(kind, filepath.Join(t.TempDir(), name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	f, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestPassedSocketsAreToldByTheirKind(t *testing.T) {
	t.Parallel()
	for _, kinds := range [][]string{{"unix", "unixpacket"}, {"unixpacket", "unix"}, {"unix"}, {"unixpacket"}, nil} {
		var files []*os.File
		for _, kind := range kinds {
			files = append(files, pass(t, kind, kind))
		}
		s, err := sortOut(files)
		if err != nil {
			t.Fatal(kinds, err)
		}
		defer s.close()
		text := strings.Join(kinds, " ") + " "
		if (s.verbs != nil) != strings.Contains(text, "unix ") || (s.guests != nil) != strings.Contains(text, "unixpacket ") {
			t.Errorf("%v: got %+v", kinds, s)
		}
		if s.verbs != nil && filepath.Base(s.verbs.Addr().String()) != "unix" {
			t.Errorf("%v: verbs are at %s", kinds, s.verbs.Addr())
		}
	}
}

func TestPassedSocketsAreOneOfEachKind(t *testing.T) {
	t.Parallel()
	s, err := sortOut([]*os.File{pass(t, "unix", "first"), pass(t, "unix", "second")})
	if want := "it is another one of kind unix; it should be a stream or a sequence of packets, of UNIX, one each"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want …%s", err, want)
	}
	if s.close() != nil {
		t.Error("the first one was closed already")
	}
}
