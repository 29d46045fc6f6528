-- Format 16: the times at which this store was put back from a copy. What happened after the copy is gone then, and so
-- numbers that were told before may mean something else. (Putting a copy back makes the table where there is none yet.)
create table if not exists lives (life integer primary key) strict;
