package lease

import (
	"errors"
	"fmt"
)

// The book is compacted when it has maxRatio records for each that says
// something, and fewRecords more.
const (
	maxRatio   = 4
	fewRecords = 4096
)

// snapshot is the whole book as it is to be on disk.
type snapshot struct {
	data    []byte
	records int
}

// compaction is a book that is written aside while records go on to the old one.
//
// The snapshot is of memory, which is ahead of the disk. So every record that
// was committed since the compaction began follows it, and the books are swapped
// only after a batch that was taken when the snapshot was done: then all records
// that it has seen are in the new book once more, in order, and it says what the
// old one says.
type compaction struct {
	result    chan written
	written   *written // the snapshot, once it is on disk
	meanwhile batch    // committed since the beginning
}

// written is a snapshot on disk, or why it is not.
type written struct {
	file    file
	records int
	err     error
}

// done is a channel that tells when the snapshot is on disk.
func (c *compaction) done() <-chan written {
	if c == nil {
		return nil
	}
	return c.result
}

// note keeps what is committed meanwhile.
func (c *compaction) note(b batch) {
	if c != nil {
		c.meanwhile.data = append(c.meanwhile.data, b.data...)
		c.meanwhile.records += b.records
	}
}

// compact begins a compaction when it is time, and ends it after the first batch
// that was taken since its snapshot is done.
func (j *journal) compact() {
	switch c := j.compaction; {
	case c == nil && j.records > maxRatio*j.live+j.slack:
		j.compaction = &compaction{result: make(chan written, 1)}
		go func(result chan<- written) { result <- j.writeAside() }(j.compaction.result)
	case c == nil || c.written == nil:
	case c.written.err != nil:
		j.postpone(c.written.err)
	default:
		if err := j.swap(c); err != nil {
			j.postpone(err)
		}
	}
}

// postpone gives a compaction up until the book has grown some more: the old one
// is as good, only longer.
func (j *journal) postpone(err error) {
	j.log.Warn("the lease book cannot be compacted", "error", err)
	j.abandon()
	j.live = j.records
}

// writeAside writes the snapshot to the new file.
func (j *journal) writeAside() written {
	s := j.snapshot()
	f, err := j.writeNew(s.data)
	return written{f, s.records, err}
}

// swap puts the new book in the place of the old one.
func (j *journal) swap(c *compaction) error {
	if len(c.meanwhile.data) > 0 {
		if _, err := c.written.file.Write(c.meanwhile.data); err != nil {
			return err
		}
		if err := c.written.file.Sync(); err != nil {
			return err
		}
	}
	if err := j.disk.rename(newName, bookName); err != nil {
		return err
	}
	j.compaction = nil
	j.use(c.written.file, c.written.records+c.meanwhile.records, c.written.records)
	return j.settle()
}

// settle makes the new name last. If that fails, nobody knows which book there
// will be after a crash: the next commit writes it anew.
func (j *journal) settle() error {
	if err := j.disk.sync(); err != nil {
		return errors.Join(fmt.Errorf("sync the directory: %w", err), j.closeFile())
	}
	return nil
}

// use goes on with another file.
func (j *journal) use(f file, records, live int) {
	_ = j.closeFile() // it has no name any more
	j.file, j.records, j.live = f, records, live
}

// abandon ends a compaction without a result.
func (j *journal) abandon() {
	c := j.compaction
	if c == nil {
		return
	}
	j.compaction = nil
	if c.written == nil {
		written := <-c.result
		c.written = &written
	}
	if c.written.file != nil {
		_ = c.written.file.Close() // nobody reads it
	}
	_ = j.disk.remove(newName) // and the next one writes over it
}

// rewrite writes the whole book anew while everybody waits.
func (j *journal) rewrite() error {
	j.abandon()
	s := j.snapshot()
	f, err := j.writeNew(s.data)
	if err != nil {
		return err
	}
	if err := j.disk.rename(newName, bookName); err != nil {
		return errors.Join(err, f.Close())
	}
	j.use(f, s.records, s.records)
	return j.settle()
}

// writeNew writes a file that is not the book yet.
func (j *journal) writeNew(data []byte) (file, error) {
	f, err := j.disk.create(newName)
	if err != nil {
		return nil, err
	}
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), j.disk.remove(newName))
	}
	return f, nil
}
