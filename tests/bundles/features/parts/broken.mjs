throw new Error('it went wrong');
