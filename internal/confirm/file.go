package confirm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// The directory has a file for each change that waits, which is replaced as a whole,
// and one with the history.
const (
	suffix      = ".json"
	historyName = "history.jsonl"
	unfinished  = ".new"    // of a file until it is whole
	unreadable  = ".broken" // of one that is set aside
	historySize = 100       // changes
)

func fileName(id string) string { return id + suffix }

// write makes an entry durable.
func (j *Journal) write(e Entry) error {
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	return j.replace(fileName(e.ID), append(data, '\n'))
}

// replace leaves the old content or the new, whenever the power goes.
func (j *Journal) replace(name string, data []byte) error {
	if err := j.disk.write(name+unfinished, data); err != nil {
		return err
	}
	if err := j.disk.rename(name+unfinished, name); err != nil {
		return err
	}
	return j.disk.sync()
}

func (j *Journal) erase(id string) error {
	if err := j.disk.remove(fileName(id)); err != nil {
		return err
	}
	return j.disk.sync()
}

func (j *Journal) writeHistory(past []Entry) error {
	var b bytes.Buffer
	for _, e := range past {
		if err := json.NewEncoder(&b).Encode(e); err != nil {
			return err
		}
	}
	return j.replace(historyName, b.Bytes())
}

func keep(past []Entry) []Entry { return past[max(0, len(past)-historySize):] }

// load reads the directory. A file that cannot be read is set aside: it must not
// keep the daemon from reverting the others.
func (j *Journal) load() error {
	names, err := j.disk.list()
	if err != nil {
		return fmt.Errorf("read the journal of changes: %w", err)
	}
	for _, n := range names {
		switch {
		case strings.HasSuffix(n, unfinished):
			err = j.disk.remove(n)
		case strings.HasSuffix(n, suffix):
			err = j.loadEntry(n)
		}
		if err != nil {
			return fmt.Errorf("read the journal of changes: %s: %w", n, err)
		}
	}
	return j.loadHistory()
}

func (j *Journal) loadEntry(name string) error {
	data, err := j.disk.read(name)
	if err != nil {
		return err
	}
	e, err := parse(data)
	if err == nil && fileName(e.ID) != name {
		err = fmt.Errorf("it says that it is change %q", e.ID)
	}
	if err != nil {
		j.Log.Error("an entry of the journal of changes is broken, and set aside", "file", name+unreadable, "error", err)
		return j.disk.rename(name, name+unreadable)
	}
	j.add(e)
	return nil
}

// parse reads an entry.
func parse(data []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(data, &e); err != nil {
		return Entry{}, err
	}
	switch e.State {
	case Armed, Confirmed, Reverting:
	default:
		return Entry{}, fmt.Errorf("unknown state %q", e.State)
	}
	if e.ID == "" || e.Kind == "" || e.Within < 0 {
		return Entry{}, errors.New("no id, no kind, or a deadline before it began")
	}
	return e, nil
}

// loadHistory reads as much of the history as can be read.
func (j *Journal) loadHistory() error {
	data, err := j.disk.read(historyName)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read the history of changes: %w", err)
	}
	for line := range bytes.Lines(data) {
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			j.Log.Error("a line of the history of changes is broken", "error", err)
			continue
		}
		j.past = append(j.past, e)
	}
	j.past = keep(j.past)
	return nil
}
