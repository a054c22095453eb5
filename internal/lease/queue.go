package lease

// batch is what is written at once.
type batch struct {
	data    []byte
	records int
	answers []answer
}

// answer is somebody who waits, and what is known already.
type answer struct {
	done func(error)
	err  error
}

// write queues a record of l. The caller holds the lock of its table, so that
// records of a table are in the order of its changes.
func (j *journal) write(l Lease, done func(error)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		answer{done, ErrClosed}.late()
		return
	}
	j.pending.data = appendRecord(j.pending.data, l)
	j.pending.records++
	if done != nil {
		j.pending.answers = append(j.pending.answers, answer{done: done})
	}
	j.notify()
}

// answer queues an answer that comes after those of what was queued before.
func (j *journal) answer(err error, done func(error)) {
	if done == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		answer{done, ErrClosed}.late()
		return
	}
	j.pending.answers = append(j.pending.answers, answer{done, err})
	j.notify()
}

// late answers when the goroutine that writes is gone.
func (a answer) late() {
	if a.done != nil {
		go a.done(a.err)
	}
}

func (j *journal) notify() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// room tells whether more can be queued.
func (j *journal) room() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.closed:
		return ErrClosed
	case len(j.pending.data) >= maxPending:
		return ErrBusy
	}
	return nil
}

func (j *journal) state() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	j.notify()
}

func (j *journal) take() (batch, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	b := j.pending
	j.pending = j.spare
	if j.closed {
		j.notify() // one more round, until nothing is queued
	}
	return b, j.closed
}

// reset makes the batch empty; its memory is used again unless there is much of
// it.
func (b batch) reset() batch {
	if cap(b.data) > 4<<20 {
		return batch{}
	}
	clear(b.answers)
	return batch{data: b.data[:0], answers: b.answers[:0]}
}
