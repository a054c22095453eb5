package cli

import (
	"fmt"
	"os"
	"unicode"

	"golang.org/x/term"

	"kvmnet/internal/api"
)

var netEdit = &verb{name: "net-edit", help: "edit XML configuration for a network", about: "Edit the XML configuration for a network.",
	example: `  kvmnet net-edit lab
  EDITOR='code --wait' kvmnet net-edit lab`,
	params: []param{networkParam},
	run: func(c *call) error {
		n, err := c.network()
		if err != nil {
			return err
		}
		name := n.Name
		e := editing{name: n.Name, suffix: ".xml", why: func(err error) string { return c.why(err, n) },
			get: func() (string, error) { return c.client().NetworkXML(c.ctx, n.Name, true) },
			put: func(f api.File) error {
				d, err := c.client().Define(c.ctx, api.DefineRequest{File: f, XML: true})
				name = d.Name
				return err
			}}
		changed, err := c.edit(e)
		switch {
		case err != nil:
			return err
		case changed:
			c.extra("Network %s XML configuration edited.\n", name)
		default:
			c.extra("Network %s XML configuration not changed.\n", name)
		}
		return nil
	}}

// editing is a text that the user changes in an editor.
type editing struct {
	name, suffix string // of its file
	get          func() (string, error)
	put          func(api.File) error
	why          func(error) string // words an error of either
}

// What the user may answer after an error.
const (
	editAgain = 'y'
	giveUp    = 'n'
	putAgain  = 'f'
)

// edit lets the user change a text until it is taken or given up. What is given up
// stays in its file.
func (c *call) edit(e editing) (changed bool, err error) {
	old, err := e.get()
	if err != nil {
		return false, virshError{e.why(err)}
	}
	file, err := keep(e.name, e.suffix, old)
	if err != nil {
		return false, err
	}
	for answer := rune(editAgain); ; {
		if answer == editAgain {
			if changed, err = c.edited(file, old); err != nil || !changed {
				return false, err
			}
		}
		failed := c.offer(e, file, &old)
		if failed == "" {
			return true, os.Remove(file)
		}
		if answer = c.ask(failed); answer == giveUp {
			fmt.Fprintf(c.Stderr, "the text is kept in %s\n", file)
			return false, errSaid
		}
	}
}

// edited runs the editor; a text that stayed as it was needs no file.
func (c *call) edited(file, old string) (changed bool, err error) {
	text, err := c.runEditor(file)
	switch {
	case err != nil:
		return false, virshError{fmt.Sprintf("%s; the text is kept in %s", err, file)}
	case text == old:
		return false, os.Remove(file)
	}
	return true, nil
}

// offer hands the text in; it returns what failed, and has told why. When somebody
// else has changed it meanwhile the user is asked first, once.
func (c *call) offer(e editing, file string, old *string) (failed string) {
	now, err := e.get()
	if err == nil && now != *old {
		*old = now
		return "The XML configuration was changed by another user."
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(file)
	}
	if err == nil {
		err = e.put(api.File{Name: file, Text: string(text)})
	}
	if err != nil {
		c.wail(virshError{e.why(err)})
		return "Failed."
	}
	return ""
}

// ask asks what to do after an error. Where nobody can answer the text is given up.
func (c *call) ask(failed string) rune {
	in, ok := c.Stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return giveUp
	}
	for {
		switch key := c.readKey(in, failed+" Try again? [y,n,f,?]: "); key {
		case editAgain, giveUp, putAgain:
			fmt.Fprintln(c.Stdout)
			return key
		case '?':
			fmt.Fprint(c.Stdout, "\ny - yes, start editor again\nn - no, throw away my changes\nf - force, try to redefine again\n? - print this help\n")
		}
	}
}

// readKey asks for a key and reads it without waiting for the end of a line. The
// terminal is told before the question stands there: else it shows the key of somebody
// who is quick. The end of the input, and Ctrl-C, mean no.
func (c *call) readKey(in *os.File, question string) rune {
	state, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return giveUp
	}
	defer term.Restore(int(in.Fd()), state)
	fmt.Fprint(c.Stdout, question)
	key := make([]byte, 1)
	if n, err := in.Read(key); n == 0 || err != nil || key[0] == 3 || key[0] == 4 {
		return giveUp
	}
	return unicode.ToLower(rune(key[0]))
}
