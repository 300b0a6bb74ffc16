// Filters the operations by what is typed.
const search = document.getElementById('search');
search.hidden = false;
search.addEventListener('input', () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const line of document.querySelectorAll('nav [data-words]')) {
    const hidden = !words.every((word) => line.dataset.words.includes(word));
    line.hidden = hidden;
    document.getElementById(line.firstElementChild.hash.slice(1)).hidden = hidden;
  }
});
