-- Letters that are to no person, by the address that they went to: who leaves is forgotten in all of them.
create index letter_address on letter (address) where person = '';
