"""How often each word stands in a text: a program of mrjob's."""

from mrjob.job import MRJob


class Words(MRJob):
    def mapper(self, _, line):
        for word in line.split():
            self.increment_counter("words", "read")
            yield word.lower(), 1

    def combiner(self, word, counts):
        yield word, sum(counts)

    def reducer(self, word, counts):
        yield word, sum(counts)


if __name__ == "__main__":
    Words.run()
