-- Letters that are to no person, by the address that they went to: who leaves is forgotten in all of them.
create index letter_address on letter (address) where person = '';
-- Whatever was tried by a version that did not know what it may have written may be there.
update letter set unsure = 1 where attempts > 0 and state in ('pending', 'sending');
