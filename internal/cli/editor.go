package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// keep writes a text into a file of its own.
func keep(name, suffix, text string) (string, error) {
	f, err := os.CreateTemp("", "kvmnet-*-"+strings.ReplaceAll(name, "/", "_")+suffix)
	if err != nil {
		return "", fmt.Errorf("make a file to edit: %w", err)
	}
	_, err = io.WriteString(f, text)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("write %s: %w", f.Name(), errors.Join(err, os.Remove(f.Name())))
	}
	return f.Name(), nil
}

// runEditor lets the user edit a file and returns what it then holds. The
// editor may be a command with arguments, as git takes it. It is not ended by
// Ctrl-C, which is a key like others to many editors.
func (a *app) runEditor(file string) (string, error) {
	editor := "vi"
	for _, env := range []string{"EDITOR", "VISUAL"} {
		if e := os.Getenv(env); e != "" {
			editor = e
		}
	}
	c := exec.Command("sh", "-c", editor+` "$1"`, editor, file)
	c.Stdin, c.Stdout, c.Stderr = a.Stdin, a.Stdout, a.Stderr
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("run the editor %q: %w", editor, err)
	}
	text, err := os.ReadFile(file)
	return string(text), err
}

// readLine reads a line byte by byte, so that the editor gets what follows it.
func readLine(r io.Reader) string {
	var line []byte
	b := make([]byte, 1)
	for {
		n, err := r.Read(b)
		if n == 1 && b[0] != '\n' {
			line = append(line, b[0])
		} else if n == 1 || err != nil {
			return strings.TrimSpace(string(line))
		}
	}
}
