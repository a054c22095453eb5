package tftp

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLongTextIsRefused: a guest cannot make the server read a disk image into
// memory, once for each of its transfers.
func TestLongTextIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, size := range map[string]int{"menu": mostText, "image": mostText + 1} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat("a", size)), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := open(dir, name, true)
		if refused := err != nil; refused != (name == "image") {
			t.Errorf("%s as text: %v", name, err)
		}
		if err == nil {
			c.Close()
		}
		if c, err = open(dir, name, false); err != nil {
			t.Errorf("%s as it is: %v", name, err)
			continue
		}
		c.Close()
	}
}
